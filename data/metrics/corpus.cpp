#include "data/metrics/corpus.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "data/metrics/e2e_file.h"
#include "data/metrics/text.h"
#include "data/text_file.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

using Path = std::filesystem::path;
using References = std::vector<std::vector<std::string>>;

std::string names(const std::vector<Path>& paths) {
  std::string joined;
  for (const Path& path : paths) joined += (joined.empty() ? "" : ", ") + path.string();
  return joined;
}

void require_equal_counts(const Path& hypotheses, std::size_t count, const std::vector<Path>& references, std::size_t wanted) {
  require<FileError>(count == wanted, "{}: {} hypotheses, but references for {} in {}; wanted as many", hypotheses.string(), count, wanted,
                     names(references));
}

References aligned(const Path& hypotheses, std::size_t count, const std::vector<Path>& files) {
  References references(count);
  for (const Path& file : files) {
    std::vector<std::string> lines = read_lines(file);
    require<FileError>(lines.size() == count, "{}: {} lines; wanted one for each of the {} hypotheses of {}", file.string(), lines.size(),
                       count, hypotheses.string());
    for (std::size_t i = 0; i < count; ++i) references[i].push_back(std::move(lines[i]));
  }
  return references;
}

References groups(std::vector<std::string> lines) {
  References references;
  bool open = false;
  for (std::string& line : lines) {
    const bool blank = strip(line).empty();
    if (!blank && !open) references.emplace_back();
    if (!blank) references.back().push_back(std::move(line));
    open = !blank;
  }
  return references;
}

References plain_references(const Path& hypotheses, std::size_t count, const std::vector<Path>& files, ReferenceLayout layout) {
  if (layout == ReferenceLayout::lines || files.size() > 1) {
    require<FileError>(layout != ReferenceLayout::groups, "{}: {} files; wanted one file of references in groups", names(files),
                       files.size());
    return aligned(hypotheses, count, files);
  }
  std::vector<std::string> lines = read_lines(files.front());
  if (layout == ReferenceLayout::automatic && lines.size() == count) return aligned(hypotheses, count, files);
  return groups(std::move(lines));
}

References consecutive(std::vector<E2eRow> rows) {
  References references;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || rows[i].source != rows[i - 1].source) references.emplace_back();
    references.back().push_back(rows[i].text);
  }
  return references;
}

/// The references of each hypothesis's meaning representation, in the order of the file.
References looked_up(const Path& path, const std::vector<E2eRow>& hypotheses, const std::vector<Path>& files, std::vector<E2eRow> rows) {
  std::unordered_map<std::string, std::vector<std::string>> by_source;
  for (E2eRow& row : rows) by_source[row.source].push_back(std::move(row.text));
  require_equal_counts(path, hypotheses.size(), files, by_source.size());
  References references;
  for (const E2eRow& row : hypotheses) {
    const auto found = by_source.find(row.source);
    require<FileError>(found != by_source.end(), "{}: no reference in {} for '{}'", path.string(), names(files), row.source);
    references.push_back(found->second);
  }
  return references;
}

/// Whether the references are a table.
bool checked_table(const Path& name, const std::vector<Path>& references) {
  require<ConfigError>(!references.empty(), "{}: no file of references; wanted one or more", name.string());
  const bool table = std::any_of(references.begin(), references.end(), is_delimited);
  require<ConfigError>(!table || references.size() == 1, "{}: {} files; wanted a TSV or CSV file of references alone", names(references),
                       references.size());
  return table;
}

/// `sources`: whether the hypotheses have them.
Corpus assemble(std::vector<E2eRow> rows, bool sources, const Path& name, const std::vector<Path>& references, ReferenceLayout layout) {
  const bool table = checked_table(name, references);
  References found;
  if (!table) {
    found = plain_references(name, rows.size(), references, layout);
  } else if (sources) {
    found = looked_up(name, rows, references, read_e2e_file(references.front()));
  } else {
    found = consecutive(read_e2e_file(references.front()));
  }
  require_equal_counts(name, rows.size(), references, found.size());
  Corpus corpus;
  for (std::size_t i = 0; i < rows.size(); ++i) corpus.push_back({std::move(rows[i].text), std::move(found[i])});
  return corpus;
}

std::vector<E2eRow> without_sources(std::vector<std::string> texts) {
  std::vector<E2eRow> rows;
  for (std::string& text : texts) rows.push_back({{}, std::move(text)});
  return rows;
}

}  // namespace

void require_scorable(const Corpus& corpus, std::string_view metric) {
  require<Error>(!corpus.empty(), "{}: nothing to score; wanted at least one hypothesis", metric);
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    require<Error>(!corpus[i].references.empty(), "{}: hypothesis {} has no reference", metric, i + 1);
  }
}

Corpus without_empty_references(const Corpus& corpus) {
  Corpus result = corpus;
  for (auto& [hypothesis, references] : result) {
    const auto empty = [](const std::string& reference) { return strip(reference).empty(); };
    if (std::ranges::all_of(references, empty)) {
      if (references.size() > 1) references.resize(1);
    } else {
      std::erase_if(references, empty);
    }
  }
  return result;
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  const std::string content = read_text_file(path);
  LineReader reader(content);
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  return lines;
}

Corpus read_corpus(const std::filesystem::path& hypotheses, const std::vector<std::filesystem::path>& references, ReferenceLayout layout) {
  static_cast<void>(checked_table(hypotheses, references));
  const bool sources = is_delimited(hypotheses);
  return assemble(sources ? read_e2e_file(hypotheses) : without_sources(read_lines(hypotheses)), sources, hypotheses, references, layout);
}

Corpus read_corpus(std::vector<std::string> hypotheses, const std::filesystem::path& name,
                   const std::vector<std::filesystem::path>& references, ReferenceLayout layout) {
  return assemble(without_sources(std::move(hypotheses)), false, name, references, layout);
}

}  // namespace preamble::metrics
