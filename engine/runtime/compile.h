// From a graph to a program.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compile/rematerialise.h"
#include "engine/runtime/program.h"

namespace preamble {

struct CompileOptions {
  /// The scalar result to differentiate; empty: a program that only computes its results.
  std::string loss = {};
  Budget memory = Budget::automatic();
  /// Add loss and gradients of several runs up: see `differentiate`.
  bool accumulate = false;
  /// Merge neighbouring ops. Off for comparing with unfused results.
  bool fuse = true;
  /// Compute only the rows that are read. Off for comparing with all of them.
  bool prune = true;
  const Backend* backend = nullptr;  ///< null: default_backend()
};

/// Runs the passes prune_rows, absorb_projections, fuse_forward, join_products, differentiate, prune_rows, rematerialise, fuse_sums,
/// fuse_feed_forward, fuse_slopes, schedule, plan_memory, in this order, as the backend's policy has them. The results of the program are those of the graph
/// and, with a loss, the gradient `grad.<leaf>` of every trainable leaf that the loss depends on.
/// Throws what the passes throw, and UnsupportedError for an op without a kernel.
[[nodiscard]] std::shared_ptr<const Program> compile(Graph graph, const CompileOptions& options = {});

}  // namespace preamble
