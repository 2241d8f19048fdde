// Tables of character properties. The definitions are generated; `unicode.h` is the way to read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace preamble::unicode_tables {

/// Number of classes, in the order of `CharClass`.
inline constexpr std::size_t kClasses = 19;

struct Range {
  char32_t first, last;
};

/// Every `step`-th character of [first, last] becomes itself plus `difference` in lower case.
struct LowerRun {
  char32_t first, last;
  std::int32_t step, difference;
};

/// The list of `code` ends at `end` of a common array; it begins where the one before ends.
struct CharListEnd {
  char32_t code;
  std::uint32_t end;
};

/// Lists of characters by a character, sorted by it.
struct CharLists {
  std::span<const CharListEnd> ends;
  std::span<const char32_t> characters;
};

/// Two characters that canonical composition makes one.
struct Composition {
  char32_t first, second, composite;
};

/// [first, last] has the general category with this number in the order of `category_names`.
struct CategoryRange {
  char32_t first, last;
  std::uint8_t category;
};

struct ScriptRange {
  std::string_view name;
  char32_t first, last;
};

/// The canonical combining class of [first, last].
struct CombiningRange {
  char32_t first, last;
  std::uint8_t combining_class;
};

/// Sorted, disjoint ranges of each class.
extern const std::array<std::span<const Range>, kClasses> classes;
/// Bit i is set when the ASCII character belongs to class i.
extern const std::array<std::uint32_t, 128> ascii_classes;
extern const std::span<const LowerRun> lower_runs;
extern const CharLists canonical;   ///< full canonical decompositions
extern const CharLists compatible;  ///< full compatibility decompositions that are not canonical
extern const CharLists folded;      ///< characters that are equal but for case
extern const std::span<const Composition> compositions;
/// Characters in no range are unassigned (Cn).
extern const std::span<const CategoryRange> categories;
extern const std::span<const ScriptRange> scripts;
inline constexpr std::array<std::string_view, 28> category_names = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                                                    "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                                                    "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"};
extern const std::span<const CombiningRange> combining_classes;

}  // namespace preamble::unicode_tables
