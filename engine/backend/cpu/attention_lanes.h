// Tasks of an attention kernel on lanes of scratch memory.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "engine/backend/cpu/attention_scratch.h"
#include "engine/core/parallel.h"

namespace preamble::PREAMBLE_ISA {

/// Calls body(lane, task) for every task; tasks of one lane run one after the other. Which lane gets a task is left to
/// chance: a lane is scratch memory and nothing else.
template <class Body>
void run_lanes(std::int64_t lanes, std::int64_t tasks, const Body& body) {
  std::atomic<std::int64_t> next{0};
  parallel_for(std::min(lanes, tasks), 1, [&](std::int64_t lane, std::int64_t) {
    for (std::int64_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) body(lane, task);
  });
}

/// Lanes that fit into the workspace behind the fixed regions, one for each thread at most.
[[nodiscard]] inline std::int64_t lanes_of(const AttentionScratch& scratch, std::int64_t workspace_bytes) noexcept {
  const std::int64_t room = (workspace_bytes - scratch.fixed) / std::max<std::int64_t>(scratch.lane, 1);
  return std::clamp<std::int64_t>(room, 1, threads());
}

}  // namespace preamble::PREAMBLE_ISA
