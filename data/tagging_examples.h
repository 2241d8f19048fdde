// From words with tags to what an encoder with a token classification head reads: entities, chunks, semantic roles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/conll.h"
#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// The tags of a task, numbered.
class TagSet {
 public:
  /// Throws ConfigError for a name that appears twice, and for none at all.
  explicit TagSet(std::vector<std::string> names);

  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// -1 for a tag that is not in the set.
  [[nodiscard]] std::int32_t find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int32_t, std::less<>> numbers_;
};

/// A sentence to be tagged. `tags` is empty where they are not known.
struct TaggedWords {
  std::vector<std::string> words;
  std::vector<std::string> tags;
  /// Semantic roles: the word whose arguments are asked for, read behind the sentence (`words [SEP] predicate`); else empty.
  std::vector<std::string> predicate = {};
  std::string place = {};  ///< `file:line`, for messages
};

/// The sentences of a column file. Columns as in `ConllFile::column`. With `with_tags` false the file need not have a tag column.
[[nodiscard]] std::vector<TaggedWords> tagged_words(const ConllFile& file, int word_column, int tag_column, bool with_tags = true);

/// Semantic roles of a CoNLL-U file with PropBank columns (Universal Propositions): column 11 holds the sense of a predicate, each
/// further column the arguments of one. A sentence for each predicate; a role R of a word becomes the tag `B-R`, `_` and an empty
/// cell `O`, and the predicate's own mark `V` is `O` too: it is given. Throws FileError (file and line) if predicates and columns
/// differ in number.
[[nodiscard]] std::vector<TaggedWords> semantic_roles(const ConllFile& file);

/// The different tags: `O` first, then the others in the order of their bytes.
[[nodiscard]] TagSet tag_set(const std::vector<TaggedWords>& sentences);

/// An example and the words that its tags belong to.
struct TaggingExample {
  Example example;
  /// For each token that carries a tag, in order, its word: the first token of each word that is not cut off.
  std::vector<std::int32_t> words;
};

/// What becomes of tags that a set lacks.
enum class UnknownTags : std::uint8_t {
  refused,  ///< an error
  first,    ///< their words carry the first tag: the places alone matter
};

/// The first token of each word carries the word's tag, all others kNoTag (Liu et al. 2022; transformers' run_ner). Byte-level
/// vocabularies get each word with a space in front, whatever the tokenizer's own setting. Words behind `max_length` are cut and counted
/// in `report`. Tags that the set lacks, if they are refused, throw FileError that names the place; where tags are not known the places
/// still carry one (0). A sentence of which no word has a token (none at all, or characters without width) has no example; `row` is the
/// number of the sentence.
[[nodiscard]] std::vector<TaggingExample> tagging_examples(const std::vector<TaggedWords>& sentences, const TagSet& tags,
                                                           const Tokenizer& tokenizer, std::int64_t max_length, TruncationReport& report,
                                                           UnknownTags unknown = UnknownTags::refused);

}  // namespace preamble
