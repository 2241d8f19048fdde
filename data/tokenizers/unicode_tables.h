// Tables of character properties. The definitions are generated; `unicode.h` is the way to read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace preamble::unicode_tables {

/// Number of classes, in the order of `CharClass`.
inline constexpr std::size_t kClasses = 12;

struct Range {
  char32_t first, last;
};

/// Every `step`-th character of [first, last] becomes itself plus `difference` in lower case.
struct LowerRun {
  char32_t first, last;
  std::int32_t step, difference;
};

/// The canonical decomposition of `code` ends at `end` in `decomposed_characters`; it begins where the one before ends.
struct Decomposition {
  char32_t code;
  std::uint32_t end;
};

/// The canonical combining class of [first, last].
struct CombiningRange {
  char32_t first, last;
  std::uint8_t combining_class;
};

/// Sorted, disjoint ranges of each class.
extern const std::array<std::span<const Range>, kClasses> classes;
/// Bit i is set when the ASCII character belongs to class i.
extern const std::array<std::uint16_t, 128> ascii_classes;
extern const std::span<const LowerRun> lower_runs;
extern const std::span<const Decomposition> decompositions;
extern const std::span<const char32_t> decomposed_characters;
extern const std::span<const CombiningRange> combining_classes;

}  // namespace preamble::unicode_tables
