// A stream of tokens out of a stream of documents, cut into windows.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "data/corpus/document_reader.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

struct WindowRules {
  std::int64_t length = 512;   ///< tokens of a window
  std::int64_t shortest = 2;   ///< what is left at the end of a pass, or of a document, is dropped if it is shorter
  bool packed = true;          ///< documents follow each other in a window; false: a window holds tokens of one document
  /// Put behind each document; absent: nothing.
  std::optional<std::int32_t> document_end = {};

  [[nodiscard]] std::string describe() const;
};

/// Where a window begins: so many tokens behind the start of a piece.
struct WindowStart {
  PieceStart piece;
  std::uint64_t token = 0;

  bool operator==(const WindowStart&) const = default;
};

/// Pieces are encoded without special tokens, several at a time on all threads, and never more than is needed ahead: memory does not depend
/// on the size of the files.
class TokenWindows {
 public:
  /// The tokenizer must outlive it. Throws ConfigError for a length below `shortest`, and `shortest` below 1.
  TokenWindows(DocumentReader reader, const Tokenizer& tokenizer, const WindowRules& rules);

  /// The next window of this pass over the files, or nothing at its end.
  [[nodiscard]] std::optional<std::vector<std::int32_t>> next();
  /// Where the next window begins; behind the last one of a pass, where the next pass does.
  [[nodiscard]] WindowStart position();
  /// Goes to the start of a window.
  void seek(const WindowStart& position);
  void rewind() { seek({}); }

  [[nodiscard]] const WindowRules& rules() const noexcept { return rules_; }
  [[nodiscard]] const DocumentReader& reader() const noexcept { return reader_; }

 private:
  /// Tokens of a piece, of which `taken` have gone into windows.
  struct Tokens {
    PieceStart start;
    std::vector<std::int32_t> ids;
    std::size_t taken = 0;
    bool ends_document = false;
  };

  /// Encodes further pieces until one is there; false at the end of the files.
  bool refill();
  /// Drops pieces of which nothing is left.
  void drop_taken();

  DocumentReader reader_;
  const Tokenizer& tokenizer_;
  WindowRules rules_;
  std::deque<Tokens> ahead_;
};

}  // namespace preamble
