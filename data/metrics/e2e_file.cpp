#include "data/metrics/e2e_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "data/metrics/corpus.h"
#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

constexpr std::array<std::string_view, 9> kSourceNames = {"mr", "mrs", "src",          "source",       "sources",
                                                          "da", "das", "dialogue act", "dialogue acts"};
constexpr std::array<std::string_view, 10> kTextNames = {"out", "output", "outputs",   "ref",        "refs",
                                                         "sys", "system", "reference", "references", "systems"};

struct Record {
  std::size_t line = 0;
  std::vector<std::string> fields;
};

std::string repaired(std::string_view line) {
  std::string text = replace_all(line, "Ł", "£");
  text = replace_all(text, "Â£", "£");
  text = replace_all(text, "Ã©", "é");
  return replace_all(text, "ã©", "é");
}

/// The stripped and repaired lines, empty ones too (so that lines can be counted).
std::vector<std::string> clean_lines(const std::filesystem::path& path) {
  std::vector<std::string> lines = read_lines(path);
  for (std::string& line : lines) line = repaired(strip(line));
  return lines;
}

/// Reads one field from the front of `rest`; `open` says whether it is inside quotes. Returns true if the field has ended
/// at a delimiter, false at the end of the line.
bool read_field(std::string_view& rest, char delimiter, std::string& field, bool& open) {
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (open && c == '"' && rest.starts_with('"')) {
      field += '"';
      rest.remove_prefix(1);
    } else if (open && c == '"') {
      open = false;
    } else if (!open && c == delimiter) {
      return true;
    } else {
      field += c;
    }
  }
  return false;
}

/// Rows of fields. A quoted field may go on in the next line.
std::vector<Record> split_records(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  const auto first = std::find_if(lines.begin(), lines.end(), [](const std::string& line) { return !line.empty(); });
  require<FileError>(first != lines.end(), "{}: no lines; wanted rows of a meaning representation and a text", path.string());
  const char delimiter = first->find('\t') != std::string::npos ? '\t' : ',';
  std::vector<Record> records;
  bool open = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    if (!open) records.push_back({i + 1, {}});
    auto& fields = records.back().fields;
    std::string_view rest = lines[i];
    bool another = !open;
    if (open) another = read_field(rest, delimiter, fields.back(), open);
    while (another) {
      std::string& field = fields.emplace_back();
      open = rest.starts_with('"');
      if (open) rest.remove_prefix(1);
      another = read_field(rest, delimiter, field, open);
    }
  }
  require<FileError>(!open, "{}:{}: a quoted field without its closing quote", path.string(), records.back().line);
  return records;
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Columns {
  std::size_t source = 0;
  std::size_t text = 1;
  bool header = false;
};

Columns find_columns(const std::filesystem::path& path, const Record& first) {
  std::vector<std::size_t> sources;
  std::vector<std::size_t> texts;
  for (std::size_t i = 0; i < first.fields.size(); ++i) {
    const std::string name = ascii_lower(strip(first.fields[i]));
    if (contains(kSourceNames, name) || name.starts_with("meaning")) sources.push_back(i);
    if (contains(kTextNames, name)) texts.push_back(i);
  }
  if (sources.size() == 1 && texts.size() == 1) return {sources[0], texts[0], true};
  require<FileError>(sources.empty() && texts.empty(),
                     "{}:{}: header with {} source and {} text columns; wanted one of each (such as mr and ref)", path.string(), first.line,
                     sources.size(), texts.size());
  require<FileError>(first.fields.size() == 2, "{}:{}: {} columns and no known name; wanted a header or exactly two columns", path.string(),
                     first.line, first.fields.size());
  return {};
}

bool is_wrapped(std::string_view text) { return text.size() >= 2 && text.front() == '\'' && text.back() == '\''; }

}  // namespace

bool is_delimited(const std::filesystem::path& path) {
  const std::string extension = ascii_lower(path.extension().string());
  return extension == ".tsv" || extension == ".csv";
}

std::vector<E2eRow> read_e2e_file(const std::filesystem::path& path) {
  const std::vector<Record> records = split_records(path, clean_lines(path));
  const Columns columns = find_columns(path, records.front());
  std::vector<E2eRow> rows;
  for (const Record& record : records) {
    if (columns.header && &record == &records.front()) continue;
    require<FileError>(record.fields.size() > std::max(columns.source, columns.text), "{}:{}: {} columns; wanted at least {}",
                       path.string(), record.line, record.fields.size(), std::max(columns.source, columns.text) + 1);
    rows.push_back({record.fields[columns.source], record.fields[columns.text]});
  }
  require<FileError>(!rows.empty(), "{}: a header and no rows", path.string());
  if (std::all_of(rows.begin(), rows.end(), [](const E2eRow& row) { return is_wrapped(row.source) && is_wrapped(row.text); })) {
    for (E2eRow& row : rows) row = {row.source.substr(1, row.source.size() - 2), row.text.substr(1, row.text.size() - 2)};
  }
  return rows;
}

}  // namespace preamble::metrics
