// A compiled program: nodes in running order, and where each value lies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compile/plan_memory.h"
#include "engine/graph/graph.h"
#include "engine/runtime/location.h"

namespace preamble {

/// What one pass left behind.
struct PassReport {
  std::string pass;
  std::int64_t nodes = 0;
  double flops = 0;
  std::int64_t live_bytes = 0;  ///< largest sum of live bytes in the order of the nodes at that point
};

/// Immutable; may be shared by sessions and threads.
class Program {
 public:
  struct Step {
    std::int32_t node = -1;
    std::vector<Location> in;
    std::vector<Location> out;
    std::int64_t workspace = -1;       ///< offset of scratch memory in the arena; -1: the step needs none
    std::int64_t workspace_bytes = 0;  ///< all that is idle there: what the step needs, or more
  };

  /// Plans memory for a scheduled graph. Throws UnsupportedError for an op without a kernel. The backend must outlive the program.
  Program(Graph graph, const Backend& backend, std::vector<PassReport> passes);

  [[nodiscard]] const Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const std::vector<Step>& steps() const noexcept { return steps_; }
  [[nodiscard]] const std::vector<PassReport>& passes() const noexcept { return passes_; }
  [[nodiscard]] const Backend& backend() const noexcept { return backend_; }

  /// Location of a named result or input. Throws ConfigError if there is none.
  [[nodiscard]] Location result(std::string_view name) const;
  [[nodiscard]] Location input(std::string_view name) const;
  [[nodiscard]] bool has_input(std::string_view name) const;

  [[nodiscard]] std::int64_t arena_bytes() const noexcept { return plan_.arena_bytes; }
  /// Largest sum of live bytes: no arena for this order of steps can be smaller.
  [[nodiscard]] std::int64_t lower_bound_bytes() const noexcept { return liveness_.lower_bound; }
  /// Bytes of frozen, trainable and state leaves.
  [[nodiscard]] std::int64_t leaf_bytes(Role role) const;
  [[nodiscard]] double flops() const noexcept { return flops_; }
  [[nodiscard]] double flops(Phase phase) const;

  [[nodiscard]] const Liveness& liveness() const noexcept { return liveness_; }
  [[nodiscard]] const MemoryPlan& plan() const noexcept { return plan_; }

 private:
  [[nodiscard]] Location location(Value value) const;

  const Backend& backend_;
  Graph graph_;
  Liveness liveness_;
  MemoryPlan plan_;
  std::vector<Step> steps_;
  std::vector<PassReport> passes_;
  double flops_ = 0;
};

}  // namespace preamble
