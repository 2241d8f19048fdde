#include "engine/compile/plan_memory.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/random.h"

namespace plan_memory_test {

using namespace preamble;

namespace {

std::vector<Buffer> random_buffers(Random& random, int count, std::uint32_t steps) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < count; ++i) {
    const auto first = static_cast<std::int32_t>(random.below(steps));
    const auto length = static_cast<std::int32_t>(random.below(1 + random.below(steps)));
    const std::int64_t bytes = kBufferAlignment * (1 + random.below(random.below(4) == 0 ? 200 : 12));
    buffers.push_back({bytes, first, std::min(first + length, static_cast<std::int32_t>(steps))});
  }
  return buffers;
}

/// The largest sum of bytes alive at one step, step by step.
std::int64_t bound_of(const std::vector<Buffer>& buffers) {
  std::int64_t bound = 0;
  for (const auto& at : buffers) {
    std::int64_t alive = 0;
    for (const auto& buffer : buffers) alive += buffer.first <= at.first && at.first <= buffer.last ? buffer.bytes : 0;
    bound = std::max(bound, alive);
  }
  return bound;
}

/// The same question as is_valid, asked byte by byte: does any cache line belong to two buffers at one step?
bool valid_by_painting(const MemoryPlan& plan, const std::vector<Buffer>& buffers) {
  std::int32_t steps = 0;
  for (const auto& buffer : buffers) steps = std::max(steps, buffer.last + 1);
  const auto lines = static_cast<std::size_t>(plan.arena_bytes / kBufferAlignment);
  for (std::int32_t step = 0; step < steps; ++step) {
    std::vector<bool> taken(lines, false);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (step < buffers[i].first || step > buffers[i].last) continue;
      for (std::int64_t byte = 0; byte < buffers[i].bytes; byte += kBufferAlignment) {
        const std::int64_t line = (plan.offsets[i] + byte) / kBufferAlignment;
        if (plan.offsets[i] < 0 || line >= static_cast<std::int64_t>(lines) || taken[static_cast<std::size_t>(line)]) return false;
        taken[static_cast<std::size_t>(line)] = true;
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("plan_memory: every plan for random buffers is valid, and never below the bound") {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const auto buffers = random_buffers(random, 1 + static_cast<int>(random.below(50)), 1 + random.below(30));
    const std::int64_t bound = bound_of(buffers);
    const MemoryPlan plan = plan_memory(buffers, bound);
    CAPTURE(round);
    CHECK(is_valid(plan, buffers));
    CHECK(valid_by_painting(plan, buffers));
    CHECK(plan.arena_bytes >= bound);
    CHECK(plan.arena_bytes <= 2 * bound);
    for (const auto offset : plan.offsets) CHECK(offset % kBufferAlignment == 0);
  }
}

TEST_CASE("is_valid: agrees with painting on broken plans as well") {
  Random random(2);
  int broken = 0;
  for (int round = 0; round < 200; ++round) {
    const auto buffers = random_buffers(random, 2 + static_cast<int>(random.below(8)), 10);
    MemoryPlan plan = plan_memory(buffers, bound_of(buffers));
    auto& moved = plan.offsets[random.below(static_cast<std::uint32_t>(buffers.size()))];
    moved =
        kBufferAlignment * (static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(plan.arena_bytes / kBufferAlignment))) - 1);
    const bool expected = valid_by_painting(plan, buffers);
    CAPTURE(round);
    CHECK(is_valid(plan, buffers) == expected);
    broken += expected ? 0 : 1;
  }
  CHECK(broken > 50);
  CHECK(broken < 200);
}

TEST_CASE("plan_memory: buffers that never meet share one place") {
  const std::vector<Buffer> buffers = {{640, 0, 1}, {640, 2, 3}, {640, 4, 9}};
  CHECK(plan_memory(buffers, 640).arena_bytes == 640);
}

TEST_CASE("plan_memory: buffers that touch at one step do not") {
  const std::vector<Buffer> buffers = {{640, 0, 2}, {640, 2, 3}};
  CHECK(plan_memory(buffers, 1280).arena_bytes == 1280);
}

TEST_CASE("plan_memory: no buffers need no arena") {
  const MemoryPlan plan = plan_memory({}, 0);
  CHECK(plan.arena_bytes == 0);
  CHECK(is_valid(plan, {}));
}

TEST_CASE("plan_memory: the same buffers give the same plan") {
  Random random(3);
  const auto buffers = random_buffers(random, 60, 25);
  const std::int64_t bound = bound_of(buffers);
  CHECK(plan_memory(buffers, bound).offsets == plan_memory(buffers, bound).offsets);
}

TEST_CASE("plan_memory: long-lived small buffers do not fragment the arena") {
  // a chain of activations beside values kept for the backward pass, freed in reverse
  std::vector<Buffer> buffers;
  constexpr std::int32_t kLayers = 24;
  for (std::int32_t layer = 0; layer < kLayers; ++layer) {
    buffers.push_back({64 * 10, layer * 3, 150 - layer * 3});
    buffers.push_back({64 * 160, layer * 3, layer * 3 + 1});
    buffers.push_back({64 * 40, layer * 3 + 1, layer * 3 + 3});
    buffers.push_back({64 * 160, 149 - layer * 3, 150 - layer * 3});
  }
  const std::int64_t bound = bound_of(buffers);
  const MemoryPlan plan = plan_memory(buffers, bound);
  CHECK(is_valid(plan, buffers));
  CHECK(static_cast<double>(plan.arena_bytes) <= 1.05 * static_cast<double>(bound));
}

TEST_CASE("largest_hole: scratch memory gets the largest part of the arena that is idle at its step") {
  // 0 and 1 live through all of it, 2 in another step than the scratch memory 3
  const std::vector<Buffer> buffers = {{128, 0, 4}, {64, 0, 4}, {256, 0, 1}, {64, 2, 2}};
  const MemoryPlan plan{{0, 320, 384, 128}, 640};
  REQUIRE(is_valid(plan, buffers));
  const Hole hole = largest_hole(plan, buffers, 3);
  CHECK(hole.offset == 384);
  CHECK(hole.bytes == 256);
  Random random(3);
  for (int round = 0; round < 30; ++round) {
    const auto some = random_buffers(random, 30, 12);
    const MemoryPlan made = plan_memory(some, bound_of(some));
    const auto scratch = static_cast<std::int32_t>(random.below(30));
    const Hole idle = largest_hole(made, some, scratch);
    std::vector<Buffer> grown = some;
    grown[static_cast<std::size_t>(scratch)].bytes = idle.bytes;
    MemoryPlan moved = made;
    moved.offsets[static_cast<std::size_t>(scratch)] = idle.offset;
    CHECK(idle.bytes >= some[static_cast<std::size_t>(scratch)].bytes);
    CHECK(is_valid(moved, grown));
  }
}

TEST_CASE("to_csv: lists buffers with exclusive ends") {
  const std::vector<Buffer> buffers = {{128, 0, 2}, {64, 3, 3}};
  MemoryPlan plan;
  plan.offsets = {0, 64};
  plan.arena_bytes = 128;
  CHECK(to_csv(plan, buffers) == "id,lower,upper,size,offset\n0,0,3,128,0\n1,3,4,64,64\n");
}

}  // namespace plan_memory_test
