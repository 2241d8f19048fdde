// Normalizers that put text in.
#pragma once

#include <string>
#include <utility>

#include "data/tokenizers/normalizers/normalizer.h"
#include "data/tokenizers/pattern.h"

namespace preamble {

/// `Replace`: each match of a pattern becomes `content`.
class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void normalize(AlignedText& text) const override { text.replace(pattern_.pieces(text.text()), content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

/// `Prepend`: `content` in front of every text that is not empty.
class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string content) : content_(std::move(content)) {}
  void normalize(AlignedText& text) const override { text.prepend(content_); }

 private:
  std::string content_;
};

}  // namespace preamble
