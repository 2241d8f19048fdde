#include "data/table.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/ranges.h>

#include "data/data_to_text.h"
#include "data/delimited.h"
#include "data/jsonl.h"
#include "data/sampling.h"
#include "data/text_file.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

std::string format_of(const std::filesystem::path& path, const TableOptions& options) {
  // what a compressed file is called inside: `train.jsonl.gz`
  const std::string extension = (path.extension() == ".gz" ? path.stem() : path).extension().string();
  std::string format = options.format.empty() && !extension.empty() ? extension.substr(1) : options.format;
  if (format == "xml" && options.format.empty()) format = "webnlg";
  if (format == "source" && options.format.empty()) format = "pairs";
  constexpr std::array<std::string_view, 8> kKnown = {"jsonl", "json", "tsv", "csv", "pairs", "e2e", "webnlg", "dart"};
  const bool known = std::ranges::find(kKnown, format) != kKnown.end();
  if (options.format.empty()) {
    require<ConfigError>(
        known, "{}: no data format of that extension; wanted .jsonl, .json, .tsv, .csv, .xml or .source, or a format given by name",
        path.string());
  }
  require<ConfigError>(known, "data format '{}': unknown; wanted {}", format, fmt::join(kKnown, ", "));
  return format;
}

}  // namespace

std::size_t Table::column(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  require<ConfigError>(found != index_.end(), "{}: no column '{}'; the columns are: {}", source_, name, fmt::join(columns_, ", "));
  return found->second;
}

const Cell* Table::find(std::int64_t row, std::size_t column) const {
  const auto& cells = rows_.at(static_cast<std::size_t>(row)).cells;
  if (column < cells.size() && cells[column].column == column) return &cells[column];
  const auto found = std::lower_bound(cells.begin(), cells.end(), column, [](const Cell& c, std::size_t i) { return c.column < i; });
  return found != cells.end() && found->column == column ? &*found : nullptr;
}

const Cell& Table::cell(std::int64_t row, std::size_t column) const {
  const Cell* found = find(row, column);
  require<FileError>(found != nullptr, "{}: no field '{}'; wanted a value", where(row), columns_.at(column));
  require<FileError>(found->kind != CellKind::null, "{}: field '{}' is null; wanted a value", where(row), columns_.at(column));
  return *found;
}

const std::string& Table::text(std::int64_t row, std::size_t column) const {
  const Cell& found = cell(row, column);
  require<FileError>(found.kind != CellKind::list,
                     "{}: field '{}' is a list; wanted text or a number (a template joins lists: {{{}|join(\", \")}})", where(row),
                     columns_.at(column), columns_[column]);
  return found.value;
}

std::string Table::where(std::int64_t row) const { return where(rows_.at(static_cast<std::size_t>(row))); }

std::string Table::where(const Row& row) const {
  return row.line > 0 ? fmt::format("{}:{}", source_, row.line) : fmt::format("{}: row {}", source_, row.number);
}

std::size_t Table::add_column(std::string_view name) {
  const auto [entry, added] = index_.try_emplace(std::string(name), columns_.size());
  if (added) columns_.emplace_back(name);
  return entry->second;
}

void Table::add_row(std::int64_t line, std::vector<Cell> cells) {
  std::sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) { return a.column < b.column; });
  Row row{line, rows() + 1, std::move(cells)};
  const auto twice =
      std::adjacent_find(row.cells.begin(), row.cells.end(), [](const Cell& a, const Cell& b) { return a.column == b.column; });
  if (twice != row.cells.end()) raise<FileError>("{}: field '{}' twice; wanted it once", where(row), columns_.at(twice->column));
  rows_.push_back(std::move(row));
}

Table Table::select(std::span<const std::uint32_t> rows) const {
  Table chosen(source_);
  chosen.columns_ = columns_;
  chosen.index_ = index_;
  chosen.rows_.reserve(rows.size());
  for (const std::uint32_t row : rows) chosen.rows_.push_back(rows_.at(row));
  return chosen;
}

namespace {

/// Lines of a source file, and of the target file beside it.
void read_pairs(Table& table, std::string_view content, const std::filesystem::path& path) {
  auto target_path = path;
  target_path.replace_extension(".target");
  const bool targets = target_path != path && std::filesystem::exists(target_path);
  const std::string target_content = targets ? read_text_file(target_path) : "";
  const std::size_t source_column = table.add_column("source");
  const std::size_t target_column = targets ? table.add_column("target") : 0;
  LineReader sources(content), answers(target_content);
  while (const auto source = sources.next()) {
    require_text(*source, table.source(), sources.number());
    std::vector<Cell> cells = {{source_column, CellKind::text, std::string(*source)}};
    if (targets) {
      const auto target = answers.next();
      require<FileError>(target.has_value(), "{}: {} lines, fewer than {}; wanted as many", target_path.string(), answers.number(),
                         path.string());
      require_text(*target, target_path.string(), answers.number());
      cells.push_back({target_column, CellKind::text, std::string(*target)});
    }
    table.add_row(sources.number(), std::move(cells));
  }
  require<FileError>(!answers.next(), "{}: more lines than the {} of {}; wanted as many", target_path.string(), sources.number(),
                     path.string());
}

void append_file(Table& table, const std::filesystem::path& path, const std::string& format, const TableOptions& options,
                 LanguageFilter& languages) {
  const std::string content = read_text_file(path);
  if (format == "csv" || format == "tsv")
    read_delimited(table, content, format == "csv" ? Delimited::csv : Delimited::tsv, options.columns);
  if (format == "jsonl" || format == "json") read_json(table, content);
  if (format == "e2e") read_e2e(table, content);
  if (format == "pairs") read_pairs(table, content, path);
  if (format == "webnlg") read_webnlg(table, content, path.string(), languages);
  if (format == "dart") read_dart(table, content);
}

/// WebNLG's sets are folders of files.
std::vector<std::filesystem::path> xml_files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".xml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Table load_table(const std::filesystem::path& path, const TableOptions& options) {
  const bool folder = std::filesystem::is_directory(path);
  const std::string format = folder && options.format.empty() ? "webnlg" : format_of(path, options);
  require<ConfigError>(!folder || format == "webnlg", "{}: a folder; wanted a file, or a folder of WebNLG's XML", path.string());
  const bool delimited = format == "tsv" || format == "csv";
  require<ConfigError>(delimited || options.columns.empty(), "{}: column names given; wanted them only for tsv and csv", path.string());
  Table table(path.string());
  LanguageFilter languages(options.language);
  for (const auto& file : folder ? xml_files_in(path) : std::vector{path}) append_file(table, file, format, options, languages);
  languages.report(path.string());
  require<FileError>(table.rows() > 0, "{}: no rows; wanted at least one", path.string());
  require<FileError>(table.rows() < std::numeric_limits<std::uint32_t>::max(), "{}: {} rows; wanted fewer than 2^32", path.string(),
                     table.rows());
  return table;
}

Table subsample(const Table& table, std::int64_t count, std::uint64_t seed) {
  require<ConfigError>(count >= 1 && count <= table.rows(), "{}: a subset of {} rows; wanted 1 to {}", table.source(), count, table.rows());
  return table.select(sample_of(table.rows(), count, seed));
}

}  // namespace preamble
