#include "engine/compile/plan_memory.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "engine/core/error.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

using Order = std::vector<std::uint32_t>;

bool overlap_in_time(const Buffer& a, const Buffer& b) noexcept { return a.first <= b.last && b.first <= a.last; }

/// Puts each buffer, in `order`, into the smallest gap between its contemporaries that holds it. Gives up once the arena
/// exceeds `limit`.
MemoryPlan place(const std::vector<Buffer>& buffers, const Order& order, std::int64_t limit) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), -1);
  Order by_offset;  // placed buffers, ascending
  for (const auto id : order) {
    const Buffer& buffer = buffers[id];
    std::int64_t best = -1;
    std::int64_t best_gap = std::numeric_limits<std::int64_t>::max();
    std::int64_t end = 0;
    for (const auto other : by_offset) {
      if (!overlap_in_time(buffer, buffers[other])) continue;
      const std::int64_t gap = plan.offsets[other] - end;
      if (gap >= buffer.bytes && gap < best_gap) best = end, best_gap = gap;
      end = std::max(end, plan.offsets[other] + buffers[other].bytes);
    }
    plan.offsets[id] = best >= 0 ? best : end;
    plan.arena_bytes = std::max(plan.arena_bytes, plan.offsets[id] + buffer.bytes);
    if (plan.arena_bytes > limit) return plan;
    by_offset.insert(std::ranges::upper_bound(by_offset, plan.offsets[id], {}, [&](auto other) { return plan.offsets[other]; }), id);
  }
  return plan;
}

std::vector<Order> starting_orders(const std::vector<Buffer>& buffers) {
  const auto length = [&](std::uint32_t i) { return static_cast<std::int64_t>(buffers[i].last - buffers[i].first + 1); };
  const std::vector<std::function<bool(std::uint32_t, std::uint32_t)>> rules = {
      [&](auto a, auto b) { return buffers[a].bytes > buffers[b].bytes; },
      [&](auto a, auto b) { return buffers[a].bytes * length(a) > buffers[b].bytes * length(b); },
      [&](auto a, auto b) { return length(a) > length(b); },
      [&](auto a, auto b) { return buffers[a].first < buffers[b].first; },
      [&](auto a, auto b) { return buffers[a].last > buffers[b].last; },
  };
  std::vector<Order> orders;
  for (const auto& rule : rules) {
    Order order(buffers.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, rule);
    orders.push_back(std::move(order));
  }
  return orders;
}

/// Moves buffers that stick out of the bound to the front of the order, or random ones, and keeps what is no worse.
void improve(const std::vector<Buffer>& buffers, Order order, std::int64_t bound, MemoryPlan& best) {
  constexpr int kTries = 400;
  Random random(0x9E3779B9);
  const std::int64_t good_enough = bound + bound / 50;
  for (int i = 0; i < kTries && best.arena_bytes > good_enough; ++i) {
    Order next = order;
    std::uint32_t pick = random.below(static_cast<std::uint32_t>(next.size()));
    if (i % 2 == 0) {
      const auto sticks_out = [&](std::uint32_t id) { return best.offsets[id] >= 0 && best.offsets[id] + buffers[id].bytes > bound; };
      const auto found = std::ranges::find_if(next, sticks_out);
      if (found != next.end()) pick = static_cast<std::uint32_t>(found - next.begin());
    }
    const std::uint32_t to = random.below(pick + 1);
    std::rotate(next.begin() + to, next.begin() + pick, next.begin() + pick + 1);
    MemoryPlan plan = place(buffers, next, best.arena_bytes);
    if (plan.arena_bytes > best.arena_bytes || std::ranges::count(plan.offsets, -1) != 0) continue;
    best = std::move(plan);
    order = std::move(next);
  }
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Buffer>& buffers, std::int64_t lower_bound) {
  MemoryPlan best;
  best.arena_bytes = std::numeric_limits<std::int64_t>::max();
  Order best_order;
  for (auto& order : starting_orders(buffers)) {
    MemoryPlan plan = place(buffers, order, best.arena_bytes);
    if (plan.arena_bytes < best.arena_bytes) {
      best = std::move(plan);
      best_order = std::move(order);
    }
    if (best.arena_bytes == lower_bound) break;
  }
  if (!buffers.empty()) improve(buffers, std::move(best_order), lower_bound, best);
  return best;
}

Hole largest_hole(const MemoryPlan& plan, const std::vector<Buffer>& buffers, std::int32_t scratch) {
  std::vector<Hole> taken = {{plan.arena_bytes, 0}};
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (i != static_cast<std::size_t>(scratch) && overlap_in_time(buffers[i], buffers[static_cast<std::size_t>(scratch)])) {
      taken.push_back({plan.offsets[i], buffers[i].bytes});
    }
  }
  std::ranges::sort(taken, {}, &Hole::offset);
  Hole best;
  std::int64_t end = 0;
  for (const auto& block : taken) {
    if (block.offset - end > best.bytes) best = {end, block.offset - end};
    end = std::max(end, block.offset + block.bytes);
  }
  return best;
}

bool is_valid(const MemoryPlan& plan, const std::vector<Buffer>& buffers) {
  for (std::size_t a = 0; a < buffers.size(); ++a) {
    if (plan.offsets[a] < 0 || plan.offsets[a] + buffers[a].bytes > plan.arena_bytes) return false;
    for (std::size_t b = 0; b < a; ++b) {
      const bool apart = plan.offsets[a] + buffers[a].bytes <= plan.offsets[b] || plan.offsets[b] + buffers[b].bytes <= plan.offsets[a];
      if (overlap_in_time(buffers[a], buffers[b]) && !apart) return false;
    }
  }
  return true;
}

std::string to_csv(const MemoryPlan& plan, const std::vector<Buffer>& buffers) {
  std::string csv = "id,lower,upper,size,offset\n";
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    csv += fmt::format("{},{},{},{},{}\n", i, buffers[i].first, buffers[i].last + 1, buffers[i].bytes, plan.offsets[i]);
  }
  return csv;
}

}  // namespace preamble
