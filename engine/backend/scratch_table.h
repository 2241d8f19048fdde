// A backend's scratch memory by op.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/graph/op.h"

namespace preamble {

struct ScratchEntry {
  std::string_view op;
  std::int64_t (*bytes)(const NodeCost&);
};

/// Bytes that the kernel of a node needs while it runs, by a table that is sorted by op; 0 for ops that it does not list.
[[nodiscard]] inline std::int64_t scratch_of(std::span<const ScratchEntry> sorted, const NodeCost& cost) {
  const std::string_view name = cost.node.op->name();
  const auto found = std::ranges::lower_bound(sorted, name, {}, &ScratchEntry::op);
  return found != sorted.end() && found->op == name ? found->bytes(cost) : 0;
}

}  // namespace preamble
