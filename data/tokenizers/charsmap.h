// The normalisation of SentencePiece models, as Hugging Face applies it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/mapped_text.h"

namespace preamble {

/// `precompiled_charsmap` of a SentencePiece model: a Darts-clone double array from UTF-8 keys to replacement strings.
class Charsmap {
 public:
  /// Maps nothing.
  Charsmap() = default;
  /// `blob`: u32 size of the trie in bytes, the trie (u32 units, little-endian), NUL-ended UTF-8 strings; empty: maps nothing.
  /// Throws FileError that begins with `origin` if the sizes do not fit.
  Charsmap(std::string_view blob, std::string_view origin);

  /// Replacement of the shortest key that `text` begins with, if any.
  [[nodiscard]] std::optional<std::u32string_view> shortest(std::string_view text) const noexcept;

  /// Normalises grapheme by grapheme. A cluster below 6 bytes of UTF-8 is looked up whole, and what is found for it stands for
  /// the whole cluster; else each of its characters is looked up alone. The first character of `text` has the index `base`.
  void normalize(std::u32string_view text, std::int32_t base, MappedText& out) const;

 private:
  void append(std::u32string_view cluster, std::int32_t source, MappedText& out) const;

  std::vector<std::uint32_t> units_;
  /// The replacement strings, NULs included, decoded; `starts_[i]` is the place of byte i of the file's strings in it.
  std::u32string strings_;
  std::vector<std::uint32_t> starts_;
};

}  // namespace preamble
