// Which strings of a fixed set begin at a position of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace preamble {

/// A trie over bytes, laid out level by level: the children of a node are neighbours, sorted by their byte.
class PrefixTrie {
 public:
  PrefixTrie() = default;
  /// Maps each string to its number. Empty strings are left out; of equal strings the last one counts.
  explicit PrefixTrie(std::span<const std::pair<std::string_view, std::int32_t>> entries);

  /// Calls `visit(bytes, value)` for each string that begins at byte `position` of `text`, shortest first.
  template <class Visit>
  void for_each_prefix(std::string_view text, std::size_t position, const Visit& visit) const {
    std::uint32_t node = 0;
    for (std::size_t i = position; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == kNone) return;
      if (nodes_[node].value >= 0) visit(i + 1 - position, nodes_[node].value);
    }
  }

  /// Bytes and value of the longest string that begins at byte `position`; {0, -1} if none does.
  [[nodiscard]] std::pair<std::size_t, std::int32_t> longest_prefix(std::string_view text, std::size_t position) const;

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  struct Node {
    std::uint32_t first_child = 0;
    std::uint16_t children = 0;
    unsigned char byte = 0;
    std::int32_t value = -1;
  };

  [[nodiscard]] std::uint32_t child(std::uint32_t node, unsigned char byte) const noexcept;

  std::vector<Node> nodes_;
  /// Children of the root by byte: nearly every byte has one, and every search starts there.
  std::vector<std::uint32_t> root_;
};

}  // namespace preamble
