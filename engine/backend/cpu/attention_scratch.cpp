#include "engine/backend/cpu/attention_scratch.h"

#include "engine/backend/cpu/attention_panels_scratch.h"

namespace preamble {
namespace {

std::int64_t bias_bytes(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  return sizes.buckets == 0 ? 0 : AttentionScratch::rounded(options.heads * AttentionScratch::distances(options) * sizes.element);
}

std::int64_t bucket_bytes(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  constexpr std::int64_t kIndex = sizeof(std::int32_t);
  if (sizes.positions > 0) return AttentionScratch::rounded((2 * std::int64_t{options.disentangled.max_distance} + 1) * kIndex);
  return sizes.buckets == 0 ? 0 : AttentionScratch::rounded(AttentionScratch::distances(options) * kIndex);
}

}  // namespace

AttentionScratch AttentionScratch::forward(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  AttentionScratch s;
  s.bias = bias_bytes(options, sizes);
  s.buckets = bucket_bytes(options, sizes);
  s.fixed = s.bias + s.buckets;
  s.terms = rounded(kBlockRows * sizes.positions * sizes.element);
  s.block = rounded(block_elements(sizes.q_rows, sizes.keys) * sizes.element);
  if (sizes.panels) {
    const auto panels = AttentionPanelsScratch::of(sizes, options);
    s.block = rounded(panels.block());
    s.panels = panels.forward();
  }
  s.lane = s.terms + s.block + s.panels;
  return s;
}

AttentionScratch AttentionScratch::backward(const AttentionOptions& options, const AttentionSizes& sizes,
                                            const SharedGradients& shared) noexcept {
  AttentionScratch s = forward(options, sizes);
  const std::int64_t units = std::max(sizes.q_segments, sizes.k_segments) + 1;
  const std::int64_t few = (kSharedTasks + options.kv_heads - 1) / options.kv_heads;
  s.chunks = shared ? std::min(units, few) : units;
  if (shared.prefix) s.prefix = rounded(s.chunks * sizes.prefix_rows * sizes.kv_width * sizes.element);
  if (shared.positions) s.positions = rounded(s.chunks * sizes.positions * sizes.kv_width * sizes.element);
  constexpr std::int64_t kDouble = sizeof(double);
  if (shared.bias) s.bias_gradient = rounded(s.chunks * sizes.buckets * options.heads * kDouble);
  s.fixed += 2 * (s.prefix + s.positions) + s.bias_gradient;
  if (sizes.panels ? sizes.shared_keys : shared.keys_in_place) s.key_gradient = rounded(sizes.keys * (sizes.kv_width / options.kv_heads) * sizes.element);
  if (sizes.panels) s.panels = AttentionPanelsScratch::of(sizes, options).backward(shared.joint);
  s.lane = s.terms + 2 * (s.block + s.key_gradient) + s.panels;
  if (shared.bias) s.lane += rounded(distances(options) * kDouble);
  return s;
}

AttentionScratch AttentionScratch::cached(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  AttentionScratch s;
  s.bias = bias_bytes(options, sizes);
  s.buckets = bucket_bytes(options, sizes);
  s.fixed = s.bias + s.buckets;
  s.lane = rounded(sizes.keys * sizes.element);
  return s;
}

}  // namespace preamble
