#include "data/tagging_examples.h"

#include <set>
#include <utility>

#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::size_t kSenseColumn = 10;
constexpr std::size_t kFormColumn = 1;

bool is_empty(const std::string& cell) { return cell.empty() || cell == "_"; }

/// Blanks round a tag (tables that were aligned by hand, CSV behind commas) mean nothing.
std::vector<std::string> stripped(const std::vector<std::string>& tags) {
  std::vector<std::string> result;
  for (const auto& tag : tags) result.emplace_back(metrics::strip(tag));
  return result;
}

std::string role_tag(const std::string& cell) { return is_empty(cell) || cell == "V" ? "O" : "B-" + cell; }

/// One sentence for each predicate.
void append_roles(const ConllFile& file, const ConllSentence& sentence, std::vector<TaggedWords>& out) {
  require<FileError>(sentence.columns.size() > kSenseColumn, "{}:{}: {} columns; wanted at least {} of semantic roles", file.source(),
                     sentence.line, sentence.columns.size(), kSenseColumn + 1);
  std::vector<std::size_t> predicates;
  for (std::size_t t = 0; t < sentence.tokens(); ++t) {
    if (!is_empty(sentence.columns[kSenseColumn][t])) predicates.push_back(t);
  }
  if (predicates.empty()) return;
  const std::size_t columns = sentence.columns.size() - kSenseColumn - 1;
  require<FileError>(columns == predicates.size(), "{}:{}: {} predicates and {} columns of arguments; wanted as many", file.source(),
                     sentence.line, predicates.size(), columns);
  for (std::size_t p = 0; p < predicates.size(); ++p) {
    TaggedWords& words = out.emplace_back();
    words.words = sentence.columns[kFormColumn];
    words.predicate = {words.words[predicates[p]]};
    words.place = fmt::format("{}:{}", file.source(), sentence.line);
    for (const auto& cell : sentence.columns[kSenseColumn + 1 + p]) words.tags.push_back(role_tag(cell));
  }
}

}  // namespace

TagSet::TagSet(std::vector<std::string> names) : names_(std::move(names)) {
  require<ConfigError>(!names_.empty(), "tags: none were given; wanted one at least");
  for (const auto& name : names_) {
    const bool added = numbers_.emplace(name, static_cast<std::int32_t>(numbers_.size())).second;
    require<ConfigError>(added, "tags: '{}' appears twice", name);
  }
}

std::int32_t TagSet::find(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? -1 : found->second;
}

std::vector<TaggedWords> tagged_words(const ConllFile& file, int word_column, int tag_column, bool with_tags) {
  std::vector<TaggedWords> sentences;
  for (std::size_t s = 0; s < file.sentences().size(); ++s) {
    TaggedWords& sentence = sentences.emplace_back();
    sentence.words = file.column(s, word_column);
    if (with_tags) sentence.tags = stripped(file.column(s, tag_column));
    sentence.place = fmt::format("{}:{}", file.source(), file.sentences()[s].line);
  }
  return sentences;
}

std::vector<TaggedWords> semantic_roles(const ConllFile& file) {
  std::vector<TaggedWords> sentences;
  for (const auto& sentence : file.sentences()) append_roles(file, sentence, sentences);
  require<FileError>(!sentences.empty(), "{}: no predicate; wanted column {} to hold senses", file.source(), kSenseColumn + 1);
  return sentences;
}

TagSet tag_set(const std::vector<TaggedWords>& sentences) {
  std::set<std::string> names;
  for (const auto& sentence : sentences) names.insert(sentence.tags.begin(), sentence.tags.end());
  std::vector<std::string> ordered;
  if (names.erase("O") > 0) ordered.emplace_back("O");
  ordered.insert(ordered.end(), names.begin(), names.end());
  return TagSet(std::move(ordered));
}

std::vector<TaggingExample> tagging_examples(const std::vector<TaggedWords>& sentences, const TagSet& tags, const Tokenizer& tokenizer,
                                             std::int64_t max_length, TruncationReport& report, UnknownTags unknown) {
  std::vector<TaggingExample> examples;
  examples.reserve(sentences.size());
  for (std::size_t s = 0; s < sentences.size(); ++s) {
    const TaggedWords& sentence = sentences[s];
    if (sentence.words.empty()) continue;
    EncodeOptions options;
    options.max_length = static_cast<std::size_t>(max_length);
    options.truncation = Truncation::only_first;
    // words are pieces of a sentence: byte-level vocabularies know them with the space in front
    options.add_prefix_space = true;
    const Encoding encoding = sentence.predicate.empty() ? tokenizer.encode(sentence.words, options)
                                                         : tokenizer.encode(sentence.words, sentence.predicate, options);
    if (encoding.overflow > 0) {
      ++report.sources_cut;
      report.source_tokens_cut += static_cast<std::int64_t>(encoding.overflow);
    }
    TaggingExample& made = examples.emplace_back();
    made.example.row = static_cast<std::int64_t>(s);
    made.example.source = encoding.ids;
    if (!sentence.predicate.empty()) made.example.types = encoding.type_ids;
    made.example.tags.assign(encoding.size(), kNoTag);
    std::int32_t last = -1;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
      const std::int32_t word = encoding.sequence_ids[i] == 0 ? encoding.word_ids[i] : -1;
      if (word < 0 || word == last) continue;
      last = word;
      std::int32_t tag = 0;
      if (!sentence.tags.empty()) {
        const std::string& name = sentence.tags.at(static_cast<std::size_t>(word));
        tag = tags.find(name);
        if (tag < 0 && unknown == UnknownTags::first) tag = 0;
        require<FileError>(tag >= 0, "{}: the sentence that begins here has the tag '{}'; wanted one of {}", sentence.place, name,
                           fmt::join(tags.names(), " "));
      }
      made.example.tags[i] = tag;
      made.words.push_back(word);
    }
    if (made.words.empty()) examples.pop_back();
  }
  return examples;
}

}  // namespace preamble
