// Files of tokens in columns, a token a line, a blank line after each sentence (CoNLL-2000, CoNLL-2003, WNUT, CoNLL-U), and tables of
// tokens (CSV).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// One sentence: `columns[c][t]` is column c of token t. All its tokens have the same number of columns.
struct ConllSentence {
  std::int64_t line = 0;  ///< of the first token, from 1
  std::vector<std::vector<std::string>> columns;

  [[nodiscard]] std::size_t tokens() const noexcept { return columns.empty() ? 0 : columns.front().size(); }
};

/// Whether a line in front of a sentence says something about it, as `# id 5239d808 domain=en` of MultiCoNER or `# text = ...`, and is no word `#`
/// with its tag.
[[nodiscard]] bool is_sentence_comment(std::string_view line);

/// Dialect of a file.
struct ConllOptions {
  /// Leaves out lines that begin with `-DOCSTART-`; a sentence ends there.
  bool skip_document_starts = true;
  /// Fields apart from commas, as `Delimited::csv` reads them. A record of empty fields ends a sentence.
  bool csv = false;
  /// The first line is a header if it names a column of words and one of tags (see `ConllFile::header`).
  bool header = false;
  /// CoNLL-U: lines that begin with `#` are comments, and tokens whose first column is a range (`3-4`) or an empty node
  /// (`8.1`) are left out. Otherwise both are ordinary tokens.
  bool conllu = false;
};

/// A whole file.
class ConllFile {
 public:
  /// Columns are separated by one tab if the line has a tab, else by spaces. Lines of white space end a sentence; a line that
  /// holds only a byte-order mark is passed over. Throws FileError with the line for text that is not UTF-8, NUL bytes, a token
  /// with another number of columns than its sentence, and for a file without tokens.
  [[nodiscard]] static ConllFile read(const std::filesystem::path& path, const ConllOptions& options = {});
  /// The same of text that was read already; `source` begins messages.
  [[nodiscard]] static ConllFile parse(std::string source, std::string_view content, const ConllOptions& options = {});

  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  /// Names of the columns, or nothing for a file without a header line.
  [[nodiscard]] const std::vector<std::string>& header() const noexcept { return header_; }
  [[nodiscard]] const std::vector<ConllSentence>& sentences() const noexcept { return sentences_; }

  /// A column of a sentence, counted from 0, or from the end if negative (-1: the last). Throws ConfigError with the place if
  /// the sentence has fewer columns.
  [[nodiscard]] const std::vector<std::string>& column(std::size_t sentence, int column) const;
  /// The different labels of a column: `O` first, then the others in the order of their bytes. Throws as `column`.
  [[nodiscard]] std::vector<std::string> labels(int column) const;
  /// Throws FileError (file and line) unless every label of the column is `O`, `B-type` or `I-type`.
  void require_bio(int column) const;

 private:
  std::string source_;
  std::vector<std::string> header_;
  std::vector<ConllSentence> sentences_;
};

/// Numbers of the columns that a header names, whatever the case of the names; negative: none.
struct ConllHeader {
  int word = -1;      ///< token, tokens, word, words, form
  int tag = -1;       ///< tag, tags, ner_tag, ner_tags, ner, label, labels
  int sentence = -1;  ///< `Sentence #`, sentence, sentence_id, sent_id: a new value begins a sentence, an empty one goes on

  [[nodiscard]] static ConllHeader of(const std::vector<std::string>& names);
};

}  // namespace preamble
