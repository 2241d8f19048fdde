// Files of tokens in columns, a token a line, a blank line after each sentence (CoNLL-2000, CoNLL-2003, WNUT, CoNLL-U).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace preamble {

/// One sentence: `columns[c][t]` is column c of token t. All its tokens have the same number of columns.
struct ConllSentence {
  std::int64_t line = 0;  ///< of the first token, from 1
  std::vector<std::vector<std::string>> columns;

  [[nodiscard]] std::size_t tokens() const noexcept { return columns.empty() ? 0 : columns.front().size(); }
};

/// Dialect of a file.
struct ConllOptions {
  /// Leaves out the sentences that are nothing but a `-DOCSTART-` line.
  bool skip_document_starts = true;
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

  [[nodiscard]] const std::string& source() const noexcept { return source_; }
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
  std::vector<ConllSentence> sentences_;
};

}  // namespace preamble
