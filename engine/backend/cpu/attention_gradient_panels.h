// The gradient of attention where products are of bf16 numbers.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/backend/cpu/attention_panels.h"
#include "engine/backend/cpu/attention_scores.h"

namespace preamble::PREAMBLE_ISA {

/// Blocks of one key/value head whose products are of bf16 numbers.
template <class Gradient>
class GradientPanels {
  using Scratch = typename Gradient::Scratch;
  using UnitGradients = typename Gradient::UnitGradients;

 public:
  /// `s`: scratch memory of a lane.
  GradientPanels(const Gradient& of, const Scratch& s) noexcept
      : of_(of),
        sizes_(AttentionPanelsScratch::of(of.sizes_, of.problem_.options)),
        panels_(of.problem_, sizes_, s.panels),
        keys_(panels_.take<BFloat16>(sizes_.matrix())),
        key_rows_(panels_.take<BFloat16>(sizes_.matrix())),
        values_(of.joint_ ? keys_ : panels_.take<BFloat16>(sizes_.matrix())),
        queries_(panels_.take<BFloat16>(sizes_.rows())),
        output_gradients_(panels_.take<BFloat16>(sizes_.rows())),
        probabilities_(panels_.take<BFloat16>(sizes_.weights())),
        score_gradients_(panels_.take<BFloat16>(sizes_.weights())),
        key_sums_(panels_.take<float>(sizes_.sums())),
        value_sums_(of.joint_ ? key_sums_ : panels_.take<float>(sizes_.sums())),
        result_(panels_.take<float>(sizes_.result())) {}

  void begin(std::int32_t segment, std::int64_t kv_head, const UnitGradients& unit) {
    const auto& problem = of_.problem_;
    panels_.begin(segment, kv_head);
    panels_.pack_transposed(problem.prefix_k, problem.k, keys_);
    if (of_.needs_scores_ && !of_.joint_) panels_.pack_transposed(problem.prefix_v, problem.v, values_);
    if (of_.dq_) panels_.pack(problem.prefix_k, problem.k, key_rows_);
    sums_keys_ = of_.dprefix_k_ || (of_.dk_ && unit.rows > 0);
    sums_values_ = of_.dprefix_v_ || (of_.dv_ && unit.rows > 0);
    if (sums_keys_) std::fill_n(key_sums_, panels_.depth() * panels_.dim(), 0.0F);
    if (sums_values_) std::fill_n(value_sums_, panels_.depth() * panels_.dim(), 0.0F);
  }

  /// Adds what a block gives, whose first head is `head`, to the sums of its segment, and writes dQ.
  void block(const QueryBlock& b, std::int64_t head, const Scratch& s) const {
    const auto& problem = of_.problem_;
    panels_.copy_rows(problem.q, b, head, queries_);
    panels_.copy_rows(of_.output_gradient_, b, head, output_gradients_);
    panels_.times_keys(b, queries_, keys_, s.probabilities);
    if (of_.needs_scores_) panels_.times_keys(b, output_gradients_, values_, s.gradients);
    // all that is done to a row is done while it is in the first cache
    const BlockBiases biases(problem, b, head);
    for (std::int64_t i = 0; i < b.rows; ++i) weigh(b, i, head + b.head(i), biases, s);
    // the scores have been read for the last time: operands of sums are packed into their memory
    auto* packed = reinterpret_cast<BFloat16*>(s.probabilities);
    const typename HeadPanels::Outer of_values{output_gradients_, probabilities_}, of_keys{queries_, score_gradients_};
    if (of_.joint_ && sums_keys_ && sums_values_) {
      panels_.add_outer(b, std::array{of_values, of_keys}, packed, key_sums_);
    } else {
      if (sums_values_) panels_.add_outer(b, {&of_values, 1}, packed, value_sums_);
      if (sums_keys_) panels_.add_outer(b, {&of_keys, 1}, packed, key_sums_);
    }
    if (!of_.dq_) return;
    panels_.times_rows(b, score_gradients_, key_rows_, result_);
    for (std::int64_t i = 0; i < b.rows; ++i) {
      store_floats(result_ + i * panels_.dim(), of_.dq_, b.query(i) * of_.dq_.width + (head + b.head(i)) * problem.dim, problem.dim);
    }
  }

  /// The sums of a segment go to those of its prefix and of its unit, or to dK and dV where no other segment adds to them.
  void end(std::int64_t kv_head, const UnitGradients& unit, float* dprefix_k, float* dprefix_v) const noexcept {
    const SegmentKeys& keys = panels_.keys();
    const std::int64_t column = kv_head * of_.problem_.dim;
    const auto flush = [&](const float* sums, const View& gradient, float* shared, float* prefix) {
      if (prefix != nullptr) add_rows(sums, 0, keys.prefixes, prefix + keys.prefix_first * of_.sizes_.kv_width + column, of_.sizes_.kv_width);
      if (shared != nullptr) {
        add_rows(sums, keys.prefixes, keys.count, shared, unit.width);
      } else if (gradient && unit.rows > 0) {
        transposed_rows(sums, keys.prefixes, keys.count, [&](std::int64_t key, std::int64_t c, const float* row, std::int64_t count) {
          store_floats(row, gradient, (unit.first + key) * gradient.width + column + c, count);
        });
      }
    };
    if (sums_keys_) flush(key_sums_, of_.dk_, unit.keys, of_.dprefix_k_ ? dprefix_k : nullptr);
    if (sums_values_ && !of_.joint_) flush(value_sums_, of_.dv_, unit.values, of_.dprefix_v_ ? dprefix_v : nullptr);
  }

 private:
  /// Products of queries and keys, and of gradients of outputs and values, become probabilities and gradients of scores, in bf16.
  void weigh(const QueryBlock& b, std::int64_t i, std::int64_t head, const BlockBiases& biases, const Scratch& s) const noexcept {
    const std::int64_t at = i * b.stride;
    scale_row(of_.problem_, b, s.probabilities + at);
    biases.add(i, s.probabilities + at);
    of_.row(b, i, head, s);
    round_row(s.probabilities + at, probabilities_ + at, b.stride);
    if (!of_.needs_scores_) return;
    scale_row(of_.problem_, b, s.gradients + at);
    round_row(s.gradients + at, score_gradients_ + at, b.stride);
  }

  /// Calls body(key, column, numbers, count) for parts of rows of the transpose of sums [dim, keys], keys [first, first + count).
  template <class Body>
  void transposed_rows(const float* sums, std::int64_t first, std::int64_t count, const Body& body) const noexcept {
    constexpr std::int64_t kTile = 16;
    const std::int64_t dim = of_.problem_.dim;
    for (std::int64_t j = 0; j < count; j += kTile) {
      for (std::int64_t c = 0; c < dim; c += kTile) {
        // sums are padded behind their last column, and what follows their last key is memory of this lane
        alignas(64) std::uint32_t tile[kTile * kTile];
        const float* corner = sums + c * panels_.depth() + first + j;
        transpose_tile(reinterpret_cast<const std::uint32_t*>(corner), panels_.depth(), tile, kTile);
        for (std::int64_t i = 0; i < std::min(kTile, count - j); ++i) {
          body(j + i, c, reinterpret_cast<const float*>(tile + i * kTile), std::min(kTile, dim - c));
        }
      }
    }
  }

  /// Adds the transpose of sums [dim, keys], keys [first, first + count), to rows of `width`.
  void add_rows(const float* sums, std::int64_t first, std::int64_t count, float* to, std::int64_t width) const noexcept {
    transposed_rows(sums, first, count, [&](std::int64_t key, std::int64_t c, const float* row, std::int64_t columns) {
      for (std::int64_t i = 0; i < columns; ++i) to[key * width + c + i] += row[i];
    });
  }

  const Gradient& of_;
  AttentionPanelsScratch sizes_;
  HeadPanels panels_;
  BFloat16 *keys_, *key_rows_, *values_, *queries_, *output_gradients_, *probabilities_, *score_gradients_;
  float *key_sums_, *value_sums_, *result_;
  bool sums_keys_ = false, sums_values_ = false;
};

}  // namespace preamble::PREAMBLE_ISA
