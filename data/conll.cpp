#include "data/conll.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "data/delimited.h"
#include "data/metrics/text.h"
#include "data/text_file.h"
#include "engine/core/error.h"

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
    if (sentence_.columns.empty() && is_sentence_comment(line)) return;
    add_token(split(line), number);
  }

  template <class Field>
  void add_token(const std::vector<Field>& fields, std::int64_t number) {
    if (std::exchange(first_, false) && options_.header && begins_with_header(fields)) return;
    if (std::ranges::all_of(fields, [](std::string_view field) { return field.empty(); })) return end_sentence();
    if (options_.conllu && !is_word_of_conllu(fields[0])) return;
    if (options_.skip_document_starts && std::string_view(fields[0]).starts_with("-DOCSTART-")) return end_sentence();
    if (begins_sentence(fields)) end_sentence();
    if (sentence_.columns.empty()) {
      sentence_.line = number;
      sentence_.columns.resize(fields.size());
    }
    const std::size_t wanted = sentence_.columns.size();
    require<FileError>(fields.size() == wanted,
                       "{}:{}: {} column{}; wanted {} as in line {}: a word and its tag in columns, a token a line (CoNLL)", source_,
                       number, fields.size(), fields.size() == 1 ? "" : "s", wanted, sentence_.line);
    for (std::size_t i = 0; i < wanted; ++i) sentence_.columns[i].emplace_back(fields[i]);
  }

  void end_sentence() {
    ConllSentence sentence = std::exchange(sentence_, {});
    if (sentence.tokens() > 0) sentences_.push_back(std::move(sentence));
  }

  [[nodiscard]] std::vector<ConllSentence> take() { return std::move(sentences_); }
  [[nodiscard]] std::vector<std::string> take_header() { return std::move(header_); }

 private:
  template <class Field>
  bool begins_with_header(const std::vector<Field>& fields) {
    std::vector<std::string> names(fields.begin(), fields.end());
    const ConllHeader header = ConllHeader::of(names);
    if (header.word < 0 || header.tag < 0) return false;
    header_ = std::move(names);
    sentence_column_ = header.sentence;
    return true;
  }

  template <class Field>
  bool begins_sentence(const std::vector<Field>& fields) {
    const auto column = static_cast<std::size_t>(sentence_column_);
    if (sentence_column_ < 0 || column >= fields.size() || fields[column].empty() || fields[column] == sentence_name_) return false;
    sentence_name_ = fields[column];
    return true;
  }

  const std::string& source_;
  ConllOptions options_;
  bool first_ = true;
  std::vector<std::string> header_;
  int sentence_column_ = -1;
  std::string sentence_name_;
  ConllSentence sentence_;
  std::vector<ConllSentence> sentences_;
};

bool is_bio(std::string_view label) noexcept {
  return label == "O" || (label.size() > 2 && (label.starts_with("B-") || label.starts_with("I-")));
}

/// Number of the first column whose name is one of `known`.
int column_named(const std::vector<std::string>& names, std::span<const std::string_view> known) {
  const auto found = std::ranges::find_if(names, [&](const std::string& name) {
    const std::string lower = metrics::ascii_lower(metrics::strip(name));
    return std::ranges::find(known, lower) != known.end();
  });
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

}  // namespace

bool is_sentence_comment(std::string_view line) {
  line = without_byte_order_mark(line);
  if (!line.starts_with("# ") || line.find('\t') != std::string_view::npos) return false;
  const auto fields = split(line);
  const auto assigns = [](std::string_view field) { return field.size() > 1 && field.find('=', 1) != std::string_view::npos; };
  return fields.size() > 2 && (fields[1] == "id" || fields[2] == "=" || std::ranges::any_of(fields, assigns));
}

ConllHeader ConllHeader::of(const std::vector<std::string>& names) {
  constexpr std::array<std::string_view, 5> kWords = {"token", "tokens", "word", "words", "form"};
  constexpr std::array<std::string_view, 7> kTags = {"tag", "tags", "ner_tag", "ner_tags", "ner", "label", "labels"};
  constexpr std::array<std::string_view, 4> kSentences = {"sentence #", "sentence", "sentence_id", "sent_id"};
  return {column_named(names, kWords), column_named(names, kTags), column_named(names, kSentences)};
}

ConllFile ConllFile::read(const std::filesystem::path& path, const ConllOptions& options) {
  return parse(path.string(), read_text_file(path), options);
}

ConllFile ConllFile::parse(std::string source, std::string_view content, const ConllOptions& options) {
  ConllFile file;
  file.source_ = std::move(source);
  Collector collector(file.source_, options);
  if (options.csv) {
    DelimitedReader records(file.source_, content, Delimited::csv);
    while (const auto* fields = records.next()) collector.add_token(*fields, records.line());
  } else {
    LineReader lines(content);
    while (const auto line = lines.next()) collector.add_line(*line, lines.number());
  }
  collector.end_sentence();
  file.header_ = collector.take_header();
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
