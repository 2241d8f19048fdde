#include "data/tokenizers/prefix_trie.h"

#include <algorithm>
#include <deque>

#include "engine/core/error.h"

namespace preamble {

PrefixTrie::PrefixTrie(std::span<const std::pair<std::string_view, std::int32_t>> entries) {
  auto sorted = std::vector(entries.begin(), entries.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  // entries of [begin, end) share their first `depth` bytes, and `node` stands for those
  struct Group {
    std::size_t begin, end, depth;
  };
  std::deque<Group> groups = {{0, sorted.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t node = 0; !groups.empty(); ++node) {
    auto [begin, end, depth] = groups.front();
    groups.pop_front();
    for (; begin < end && sorted[begin].first.size() == depth; ++begin) {
      if (depth > 0) nodes_[node].value = sorted[begin].second;
    }
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = sorted[begin].first[depth];
      std::size_t next = begin;
      while (next < end && sorted[next].first[depth] == byte) ++next;
      groups.push_back({begin, next, depth + 1});
      nodes_.emplace_back().byte = static_cast<unsigned char>(byte);
      ++nodes_[node].children;
      begin = next;
    }
    require<Error>(nodes_.size() < kNone, "prefix trie: {} nodes; wanted fewer than 2^32", nodes_.size());
  }
  root_.assign(256, kNone);
  for (std::uint32_t i = 0; i < nodes_[0].children; ++i) root_[nodes_[nodes_[0].first_child + i].byte] = nodes_[0].first_child + i;
}

std::uint32_t PrefixTrie::child(std::uint32_t node, unsigned char byte) const noexcept {
  if (node == 0) return root_.empty() ? kNone : root_[byte];
  const auto* first = nodes_.data() + nodes_[node].first_child;
  const auto* last = first + nodes_[node].children;
  const auto* found = std::lower_bound(first, last, byte, [](const Node& x, unsigned char b) { return x.byte < b; });
  return found != last && found->byte == byte ? static_cast<std::uint32_t>(found - nodes_.data()) : kNone;
}

std::pair<std::size_t, std::int32_t> PrefixTrie::longest_prefix(std::string_view text, std::size_t position) const {
  std::pair<std::size_t, std::int32_t> longest = {0, -1};
  for_each_prefix(text, position, [&](std::size_t bytes, std::int32_t value) { longest = {bytes, value}; });
  return longest;
}

}  // namespace preamble
