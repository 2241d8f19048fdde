// Sets of characters of regular expressions.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/tokenizers/unicode.h"

namespace preamble {

/// A set of code points.
class CharSet {
 public:
  CharSet() = default;

  [[nodiscard]] static CharSet of_class(CharClass char_class);
  /// A property by the name that Oniguruma gives it, in any case, with or without spaces, hyphens and underscores: a general category (`Lu`, `L`
  /// for all that begin with it, `Uppercase_Letter`), a class (`Alpha`, `Word`, `Punct`, `White_Space`, ...) or a script. Throws UnsupportedError
  /// that begins with `origin` for another name.
  [[nodiscard]] static CharSet of_property(std::string_view name, std::string_view origin);

  void add(char32_t first, char32_t last);
  void add(const CharSet& other);
  void invert();
  void intersect(const CharSet& other);
  /// Adds what differs from a member in case alone.
  void ignore_case();
  /// Makes `contains` ready; call it after the last change.
  void finish();

  [[nodiscard]] bool contains(char32_t c) const noexcept;

 private:
  struct Range {
    char32_t first, last;
  };
  void merge();

  std::vector<Range> ranges_;
  std::array<bool, 128> ascii_ = {};
};

}  // namespace preamble
