// Files of words with tags: columns (CoNLL), CSV, JSON lines, a JSON list; and sentences without tags, to be tagged.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/tagging_examples.h"

namespace preamble {

struct TaggedFileOptions {
  /// jsonl, json, csv, tsv, conll; empty: by the content (JSON), else by the extension (.csv), else columns.
  std::string format = {};
  /// Columns as in `ConllFile::column`. Where the file has a header that names them, the defaults mean the named ones;
  /// where the first column counts the words of each sentence, the default of words means the second.
  int word_column = 0;
  int tag_column = -1;
  /// Field of the tags in JSON; empty: the first of ner_tags, tags, labels, ner.
  std::string tag_field = {};
  /// Names of tags that are numbers in the file, in the order of the numbers; empty: tags are as they stand.
  std::vector<std::string> names = {};
  /// CoNLL-U with PropBank columns, see `semantic_roles`.
  bool roles = false;
  /// False: tags are not read, and a file of plain sentences, one a line, is cut into words (`words_of`).
  bool with_tags = true;
  /// Tags of the task: a file whose last column holds nothing else is one of columns. Null: not known.
  const TagSet* known = nullptr;
};

/// The sentences of a file. JSON objects hold `tokens` (or `words`) and tags, which are names or numbers, or, where tags are not read, a
/// `text` or `sentence`. Throws ConfigError for other formats, FileError (file and place) for what is malformed, with tags also for a file
/// of one column, and for words and tags that differ in number.
[[nodiscard]] std::vector<TaggedWords> read_tagged_file(const std::filesystem::path& path, const TaggedFileOptions& options = {});

/// The different tags of a training file, as `tag_set`. Throws FileError that shows two of them if they cannot be tags: a single one for
/// all words, or nearly as many as there are different words (the wrong column, or plain sentences), unless most look like marks of
/// entities (`B-PER`) or `O` is among them.
[[nodiscard]] TagSet checked_tag_set(const std::vector<TaggedWords>& sentences, const std::string& source);

/// The words of a sentence: the pieces between white space, of which punctuation marks at either end become words of their own.
[[nodiscard]] std::vector<std::string> words_of(std::string_view sentence);

/// Whether the tag marks entities: O, or one of B I E S L U M in front of a type (`B-PER`) or behind it (`PER-B`).
[[nodiscard]] bool marks_entity(std::string_view tag);

}  // namespace preamble
