// Text that still knows where each byte of it came from, however often it was rewritten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/encoding.h"

namespace preamble {

/// A part of a text: bytes [begin, end).
struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool operator==(const ByteRange&) const = default;
};

/// A piece of what a pattern cuts a text into.
struct PatternPiece {
  ByteRange range;
  bool is_match = false;
  [[nodiscard]] bool operator==(const PatternPiece&) const = default;
};

/// UTF-8 text with, for each byte, the range of original characters that it stands for: what `NormalizedString` of Hugging Face
/// tokenizers is, with the same rules for offsets. Rewriting is counted, not compared: a new character that replaces one has its place, a
/// new character that is added has the place of the one before it. So offsets follow the counts of a normalizer even where they mislead.
class AlignedText {
 public:
  /// One step of a rewriting: the next character of the new text. `change` 0: it replaces the next old one; 1: it is added; -n: it
  /// replaces the next old one, and n more old ones behind that vanish.
  struct Step {
    char32_t c;
    int change;
  };

  /// A text that nothing has happened to, in valid UTF-8. Its first character has the place `base`.
  explicit AlignedText(std::string_view text, std::int32_t base = 0);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  /// Place of the piece's first character in the original.
  [[nodiscard]] std::int32_t base() const noexcept { return base_; }
  /// Original characters of the bytes [begin, end), begin < end: from the first of the first byte to the last of the last byte.
  [[nodiscard]] CharRange origin(std::size_t begin, std::size_t end) const;

  /// Replaces the whole text; the first `skipped` old characters vanish.
  void rewrite(std::span<const Step> steps, std::size_t skipped = 0);
  /// Removes the characters for which `keep` is false.
  template <class Keep>
  void filter(const Keep& keep);
  /// Puts `text` in front, at the place of the first character. An empty text stays empty.
  void prepend(std::string_view text);
  /// Replaces each match by `content`, which has the place of the match's last byte. `pieces` cover the text.
  void replace(std::span<const PatternPiece> pieces, std::string_view content);

  /// The bytes [begin, end), which must be whole characters, as a text of its own.
  [[nodiscard]] AlignedText slice(ByteRange range) const;

 private:
  AlignedText() = default;
  void filter_by(const std::vector<bool>& keep, std::u32string_view chars);
  [[nodiscard]] std::u32string chars() const;

  std::string text_;
  std::vector<CharRange> origins_;
  std::int32_t base_ = 0;
};

template <class Keep>
void AlignedText::filter(const Keep& keep) {
  const std::u32string all = chars();
  std::vector<bool> kept;
  kept.reserve(all.size());
  for (const char32_t c : all) kept.push_back(keep(c));
  filter_by(kept, all);
}

}  // namespace preamble
