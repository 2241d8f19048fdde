// Entities (chunks) in sequences of tags such as B-PER I-PER O.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace preamble::metrics {

/// Tokens first..last (both included) of one sentence.
struct Entity {
  std::string type;
  std::size_t first = 0;
  std::size_t last = 0;
  [[nodiscard]] auto operator<=>(const Entity&) const = default;
};

/// Where a tag has its letter: `B-PER` or `PER-B`.
enum class TagSide : std::uint8_t { prefix, suffix };

/// Which tags make an entity.
///   lenient  seqeval's default and conlleval: any mixture of B, I, O, E, S; an entity also begins at an I or E without a B,
///            and wherever the type changes
///   others   seqeval's strict mode: only entities that are well-formed in the scheme count, other letters are refused
enum class TagScheme : std::uint8_t { lenient, iob1, iob2, ioe1, ioe2, iobes, bilou };

/// The scheme called lenient, IOB1, IOB2, IOE1, IOE2, IOBES (or BIOES) or BILOU, whatever the case. Throws ConfigError.
[[nodiscard]] TagScheme tag_scheme(std::string_view name);

/// The entities of one sentence, in order. The type is what follows (precedes) the first (last) hyphen, `_` if nothing does.
/// Throws FileError for an empty tag, and in strict mode for a letter that the scheme does not have.
[[nodiscard]] std::vector<Entity> find_entities(std::span<const std::string> tags, TagScheme scheme = TagScheme::lenient,
                                                TagSide side = TagSide::prefix);

}  // namespace preamble::metrics
