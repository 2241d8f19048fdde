#include "data/conll.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "data/text_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

std::vector<std::string_view> split(std::string_view line) {
  const bool tabs = line.find('\t') != std::string_view::npos;
  std::vector<std::string_view> fields;
  for (;;) {
    if (!tabs) line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!tabs && line.empty()) return fields;
    const std::size_t end = line.find(tabs ? '\t' : ' ');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

bool is_word_of_conllu(std::string_view id) noexcept { return id.find_first_of("-.") == std::string_view::npos; }

/// Collects lines into sentences.
class Collector {
 public:
  Collector(const std::string& source, const ConllOptions& options) : source_(source), options_(options) {}

  void add_line(std::string_view line, std::int64_t number) {
    require_text(line, source_, number);
    if (!line.empty() && without_byte_order_mark(line).empty()) return;
    if (line.find_first_not_of(" \t") == std::string_view::npos) return end_sentence();
    if (options_.conllu && line.starts_with('#')) return;
    add_token(split(line), number);
  }

  void end_sentence() {
    ConllSentence sentence = std::exchange(sentence_, {});
    if (sentence.tokens() == 0) return;
    const bool document_start = sentence.tokens() == 1 && sentence.columns[0][0] == "-DOCSTART-";
    if (!document_start || !options_.skip_document_starts) sentences_.push_back(std::move(sentence));
  }

  [[nodiscard]] std::vector<ConllSentence> take() { return std::move(sentences_); }

 private:
  void add_token(const std::vector<std::string_view>& fields, std::int64_t number) {
    if (options_.conllu && !is_word_of_conllu(fields[0])) return;
    if (sentence_.columns.empty()) {
      sentence_.line = number;
      sentence_.columns.resize(fields.size());
    }
    const std::size_t wanted = sentence_.columns.size();
    require<FileError>(fields.size() == wanted, "{}:{}: {} column{}; wanted {} as in line {}", source_, number, fields.size(),
                       fields.size() == 1 ? "" : "s", wanted, sentence_.line);
    for (std::size_t i = 0; i < wanted; ++i) sentence_.columns[i].emplace_back(fields[i]);
  }

  const std::string& source_;
  ConllOptions options_;
  ConllSentence sentence_;
  std::vector<ConllSentence> sentences_;
};

bool is_bio(std::string_view label) noexcept {
  return label == "O" || (label.size() > 2 && (label.starts_with("B-") || label.starts_with("I-")));
}

}  // namespace

ConllFile ConllFile::read(const std::filesystem::path& path, const ConllOptions& options) {
  const std::string content = read_text(path);
  ConllFile file;
  file.source_ = path.string();
  Collector collector(file.source_, options);
  LineReader lines(content);
  while (const auto line = lines.next()) collector.add_line(*line, lines.number());
  collector.end_sentence();
  file.sentences_ = collector.take();
  require<FileError>(!file.sentences_.empty(), "{}: no tokens; wanted at least one sentence", file.source_);
  return file;
}

const std::vector<std::string>& ConllFile::column(std::size_t sentence, int column) const {
  const ConllSentence& s = sentences_.at(sentence);
  const auto count = static_cast<std::int64_t>(s.columns.size());
  const std::int64_t index = column < 0 ? count + column : column;
  require<ConfigError>(index >= 0 && index < count, "{}:{}: column {} of a sentence with {} columns", source_, s.line, column, count);
  return s.columns[static_cast<std::size_t>(index)];
}

std::vector<std::string> ConllFile::labels(int column) const {
  std::set<std::string> others;
  for (std::size_t i = 0; i < sentences_.size(); ++i) {
    const auto& labels = this->column(i, column);
    others.insert(labels.begin(), labels.end());
  }
  std::vector<std::string> labels;
  if (others.erase("O") > 0) labels.emplace_back("O");
  labels.insert(labels.end(), others.begin(), others.end());
  return labels;
}

void ConllFile::require_bio(int column) const {
  for (std::size_t i = 0; i < sentences_.size(); ++i) {
    const auto& labels = this->column(i, column);
    for (const std::string& label : labels) {
      require<FileError>(is_bio(label), "{}:{}: label '{}' in the sentence that begins here; wanted O, B-type or I-type", source_,
                         sentences_[i].line, label);
    }
  }
}

}  // namespace preamble
