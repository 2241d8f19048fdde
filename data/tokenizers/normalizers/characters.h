// Normalizers that look at one character after the other.
#pragma once

#include <vector>

#include "data/tokenizers/normalizers/normalizer.h"
#include "data/tokenizers/utf8.h"

namespace preamble {

/// Replaces each character by `map(c)`.
template <class Map>
void map_characters(AlignedText& text, const Map& map) {
  std::vector<AlignedText::Step> steps;
  bool changed = false;
  for (const char32_t c : decode_utf8(text.text())) {
    steps.push_back({map(c), 0});
    changed = changed || steps.back().c != c;
  }
  if (changed) text.rewrite(steps);
}

/// Lower case, each character by itself.
void lowercase(AlignedText& text);

/// `Lowercase`
class LowercaseNormalizer final : public Normalizer {
 public:
  void normalize(AlignedText& text) const override { lowercase(text); }
};

/// `StripAccents`: removes combining marks; it is of use behind a decomposition.
class StripAccents final : public Normalizer {
 public:
  void normalize(AlignedText& text) const override;
};

/// `Strip`: removes white space at the ends.
class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void normalize(AlignedText& text) const override;

 private:
  bool left_, right_;
};

/// `Nmt`: removes control characters, turns odd spaces into U+0020.
class Nmt final : public Normalizer {
 public:
  void normalize(AlignedText& text) const override;
};

/// `ByteLevel`: bytes to printable characters.
class ByteLevelNormalizer final : public Normalizer {
 public:
  void normalize(AlignedText& text) const override;
};

}  // namespace preamble
