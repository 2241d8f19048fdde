// The normalisation of SentencePiece models, as Hugging Face applies it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

 private:
  std::vector<std::uint32_t> units_;
  /// The replacement strings, NULs included, decoded; `starts_[i]` is the place of byte i of the file's strings in it.
  std::u32string strings_;
  std::vector<std::uint32_t> starts_;
};

}  // namespace preamble
