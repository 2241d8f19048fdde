#include "data/metrics/entities.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

struct Tag {
  char letter = 'O';
  std::string_view type;
};

Tag lenient_tag(std::string_view text, TagSide side) {
  const bool prefix = side == TagSide::prefix;
  Tag tag{prefix ? text.front() : text.back(), prefix ? text.substr(1) : text.substr(0, text.size() - 1)};
  const std::size_t hyphen = prefix ? tag.type.find('-') : tag.type.rfind('-');
  if (hyphen != std::string_view::npos) tag.type = prefix ? tag.type.substr(hyphen + 1) : tag.type.substr(0, hyphen);
  if (tag.type.empty()) tag.type = "_";
  return tag;
}

Tag strict_tag(std::string_view text, TagSide side) {
  const bool prefix = side == TagSide::prefix;
  Tag tag{prefix ? text.front() : text.back(), prefix ? text.substr(1) : text.substr(0, text.size() - 1)};
  while (tag.type.starts_with('-')) tag.type.remove_prefix(1);
  while (tag.type.ends_with('-')) tag.type.remove_suffix(1);
  if (tag.type.empty()) tag.type = "_";
  return tag;
}

bool is_one_of(char letter, std::string_view letters) { return letters.find(letter) != std::string_view::npos; }

bool lenient_end(const Tag& previous, const Tag& tag) {
  if (is_one_of(previous.letter, "ES")) return true;
  if (is_one_of(previous.letter, "BI") && is_one_of(tag.letter, "BSO")) return true;
  return !is_one_of(previous.letter, "O.") && previous.type != tag.type;
}

bool lenient_start(const Tag& previous, const Tag& tag) {
  if (is_one_of(tag.letter, "BS")) return true;
  if (is_one_of(previous.letter, "ESO") && is_one_of(tag.letter, "EI")) return true;
  return !is_one_of(tag.letter, "O.") && previous.type != tag.type;
}

std::vector<Entity> lenient_entities(std::span<const std::string> tags, TagSide side) {
  std::vector<Entity> entities;
  Tag previous;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const Tag tag = i < tags.size() ? lenient_tag(tags[i], side) : Tag{'O', "_"};
    if (lenient_end(previous, tag)) entities.push_back({std::string(previous.type), first, i - 1});
    if (lenient_start(previous, tag)) first = i;
    previous = tag;
  }
  return entities;
}

/// How the types of two neighbours must compare.
enum class Types : std::uint8_t { any, same, different };

/// Neighbours (previous, current) by their letters and types.
struct Pattern {
  std::string_view previous;
  std::string_view current;
  Types types;
};

constexpr std::string_view kAnyLetter = "IOBESUL";

/// What a strict scheme allows: its letters, and where entities begin, go on and end.
struct Scheme {
  std::string_view name;
  std::string_view letters;
  std::vector<Pattern> start;
  std::vector<Pattern> inside;
  std::vector<Pattern> end;
};

// seqeval's tables; IOE1 is as incomplete there
const Scheme& strict_scheme(TagScheme scheme) {
  static const std::array<Scheme, 6> kSchemes = {{
      {"IOB1",
       "IOB",
       {{"OB", "I", Types::any}, {"I", "I", Types::different}, {"IB", "B", Types::same}},
       {{"BI", "I", Types::same}},
       {{"IB", "I", Types::different}, {"IB", "O", Types::any}, {"I", "B", Types::any}, {"B", "B", Types::same}}},
      {"IOB2",
       "IOB",
       {{kAnyLetter, "B", Types::any}},
       {{"BI", "I", Types::same}},
       {{"IB", "OB", Types::any}, {"IB", "I", Types::different}}},
      {"IOE1",
       "IOE",
       {{"OE", "I", Types::any}, {"I", "I", Types::different}, {"E", "E", Types::same}},
       {{"I", "IE", Types::same}},
       {{"I", "IE", Types::different}, {"I", "O", Types::any}, {"E", "IE", Types::same}}},
      {"IOE2",
       "IOE",
       {{"OE", "IE", Types::any}, {"I", "IE", Types::different}},
       {{"I", "IE", Types::same}},
       {{"E", kAnyLetter, Types::any}}},
      {"IOBES", "IOBES", {{kAnyLetter, "BS", Types::any}}, {{"BI", "IE", Types::same}}, {{"SE", kAnyLetter, Types::any}}},
      {"BILOU", "BILOU", {{kAnyLetter, "BU", Types::any}}, {{"BI", "IL", Types::same}}, {{"UL", kAnyLetter, Types::any}}},
  }};
  return kSchemes[static_cast<std::size_t>(scheme) - 1];
}

bool matches(const std::vector<Pattern>& patterns, const Tag& previous, const Tag& tag) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
    const bool types = pattern.types == Types::any || (pattern.types == Types::same) == (previous.type == tag.type);
    return types && is_one_of(previous.letter, pattern.previous) && is_one_of(tag.letter, pattern.current);
  });
}

std::vector<Entity> strict_entities(std::span<const std::string> texts, const Scheme& scheme, TagSide side) {
  std::vector<Tag> tags;
  for (const std::string& text : texts) {
    const Tag& tag = tags.emplace_back(strict_tag(text, side));
    require<FileError>(is_one_of(tag.letter, scheme.letters), "tag '{}': letter {} is not in {}; wanted one of {}", text, tag.letter,
                       scheme.name, scheme.letters);
  }
  const Tag outside{'O', "_"};
  tags.push_back(outside);
  std::vector<Entity> entities;
  for (std::size_t i = 0; i + 1 < tags.size();) {
    const std::size_t first = i++;
    if (!matches(scheme.start, first == 0 ? outside : tags[first - 1], tags[first])) continue;
    while (i + 1 < tags.size() && matches(scheme.inside, tags[i - 1], tags[i])) ++i;
    if (matches(scheme.end, tags[i - 1], tags[i])) entities.push_back({std::string(tags[first].type), first, i - 1});
  }
  return entities;
}

}  // namespace

TagScheme tag_scheme(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, TagScheme>, 8> kNames = {{{"lenient", TagScheme::lenient},
                                                                             {"iob1", TagScheme::iob1},
                                                                             {"iob2", TagScheme::iob2},
                                                                             {"ioe1", TagScheme::ioe1},
                                                                             {"ioe2", TagScheme::ioe2},
                                                                             {"iobes", TagScheme::iobes},
                                                                             {"bioes", TagScheme::iobes},
                                                                             {"bilou", TagScheme::bilou}}};
  const std::string wanted = ascii_lower(name);
  for (const auto& [known, scheme] : kNames) {
    if (known == wanted) return scheme;
  }
  raise<ConfigError>("tag scheme '{}': unknown; wanted lenient, IOB1, IOB2, IOE1, IOE2, IOBES or BILOU", name);
}

std::vector<Entity> find_entities(std::span<const std::string> tags, TagScheme scheme, TagSide side) {
  for (std::size_t i = 0; i < tags.size(); ++i) require<FileError>(!tags[i].empty(), "tag {}: empty; wanted O or a tag with a type", i + 1);
  return scheme == TagScheme::lenient ? lenient_entities(tags, side) : strict_entities(tags, strict_scheme(scheme), side);
}

}  // namespace preamble::metrics
