#include "data/tokenizers/length_limits.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

[[nodiscard]] TextLengths longest_first(std::size_t first, std::size_t second, std::size_t room) {
  auto [shorter, longer] = std::minmax({first, second});
  longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return first <= second ? TextLengths{shorter, longer} : TextLengths{longer, shorter};
}

/// `length` less `excess`, of which something must be left.
[[nodiscard]] std::size_t shortened(std::size_t length, std::size_t excess, std::string_view which) {
  require<ConfigError>(length > excess, "truncation: {} tokens too many, only_{} has {} tokens; wanted a longer max_length", excess, which,
                       length);
  return length - excess;
}

}  // namespace

TextLengths truncated_lengths(const TextLengths& lengths, std::size_t room, Truncation truncation) {
  const std::size_t total = lengths.first + lengths.second.value_or(0);
  if (total <= room) return lengths;
  if (!lengths.second.has_value()) {
    require<ConfigError>(truncation != Truncation::only_second, "truncation: only_second without a second text");
    return {std::min(lengths.first, room), std::nullopt};
  }
  switch (truncation) {
    case Truncation::only_first: return {shortened(lengths.first, total - room, "first"), lengths.second};
    case Truncation::only_second: return {lengths.first, shortened(*lengths.second, total - room, "second")};
    case Truncation::longest_first: break;
  }
  return longest_first(lengths.first, *lengths.second, room);
}

std::vector<TokenRange> token_windows(std::size_t count, std::size_t length, std::size_t stride) {
  if (count <= length) return {{0, count}};
  require<ConfigError>(stride < length, "windows: stride {} with {} tokens in a window; wanted a smaller stride", stride, length);
  std::vector<TokenRange> windows;
  for (std::size_t begin = 0;; begin += length - stride) {
    windows.push_back({begin, std::min(begin + length, count)});
    if (windows.back().end == count) return windows;
  }
}

}  // namespace preamble
