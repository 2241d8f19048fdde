// Attention in plain double loops: a second opinion for the kernels.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/core/random.h"
#include "engine/core/rows.h"
#include "engine/core/tensor.h"
#include "engine/ops/attention.h"

namespace preamble::testing {

/// What `attention` gets, with F64 tensors; undefined tensors and empty lists are absent operands.
struct NaiveAttention {
  AttentionOptions options = {};
  Segments q_rows = {}, k_rows = {}, prefix_rows = {};
  Tensor q = {}, k = {}, v = {};
  Tensor bias_table = {};
  Tensor prefix_k = {}, prefix_v = {};
  Tensor position_k = {}, position_q = {};
  std::vector<std::int32_t> slots = {};
  std::vector<std::int32_t> kv_segment = {};
  std::vector<std::int32_t> context = {};
  std::array<std::int32_t, 2> dropout_key = {11, -5};
};

struct NaiveResult {
  Tensor o;            ///< [rows(Q), H d]
  Tensor log_sum_exp;  ///< [rows(Q), H]; 0 where a query sees no key
};

/// Value `column` of head `head` in a row.
[[nodiscard]] inline double element(const Tensor& x, std::int64_t row, std::int64_t head, std::int64_t dim, std::int64_t column) {
  return x.values<double>()[static_cast<std::size_t>(row * x.dim(1) + head * dim + column)];
}

struct NaiveKey {
  const Tensor* keys;
  const Tensor* values;
  std::int64_t row;
  std::int64_t position;
  bool has_bias;
  std::size_t number;  ///< in its segment, prefix keys first, whether a query sees those before or not
};

[[nodiscard]] inline std::int32_t position_of(const Segments& segments, std::int32_t segment, std::int32_t row) {
  return segments.layout().position(segment, row);
}

/// The keys that a query at `position` of a segment sees, in order.
[[nodiscard]] inline std::vector<NaiveKey> naive_keys(const NaiveAttention& a, std::int32_t segment, std::int32_t position) {
  std::vector<NaiveKey> keys;
  std::size_t number = 0;
  const auto in_window = [&](std::int64_t key) { return a.options.window == 0 || key > position - a.options.window; };
  if (a.prefix_k.defined()) {
    const std::int32_t slot = a.slots.empty() ? 0 : a.slots.at(static_cast<std::size_t>(segment));
    if (slot >= 0 && slot < a.prefix_rows.count()) {
      const std::int32_t n = a.prefix_rows.length(slot);
      for (std::int32_t j = 0; j < n; ++j, ++number) {
        if (in_window(j - n)) {
          keys.push_back({&a.prefix_k, &a.prefix_v, a.prefix_rows.offset(slot) + j, j - n, a.options.prefix_has_positions, number});
        }
      }
    }
  }
  const std::int32_t own = a.kv_segment.empty() ? segment : a.kv_segment.at(static_cast<std::size_t>(segment));
  if (own < 0 || own >= a.k_rows.count()) return keys;
  for (std::int32_t row = a.k_rows.offset(own); row < a.k_rows.offset(own + 1); ++row, ++number) {
    const std::int32_t key_position = a.options.keys_in_front ? row - a.k_rows.offset(own + 1) : position_of(a.k_rows, own, row);
    const bool shared = !a.context.empty() && key_position < a.context.at(static_cast<std::size_t>(segment));
    if ((!a.options.causal || shared || key_position <= position) && in_window(key_position)) {
      keys.push_back({&a.k, &a.v, row, key_position, true, number});
    }
  }
  return keys;
}

/// The factor of probability `key` of a query's head.
[[nodiscard]] inline double dropout_factor(const NaiveAttention& a, std::int32_t segment, std::int32_t position, std::int64_t head,
                                           std::size_t key) {
  if (a.options.dropout.rate == 0) return 1;
  // 128 keys share 16 counters: two of each word
  const auto j = static_cast<std::uint32_t>(key);
  const auto place = static_cast<std::uint32_t>(position * a.options.heads + head);
  const auto words = philox({j / 128 * 16 + j % 16, place, static_cast<std::uint32_t>(segment), a.options.dropout.stream},
                            {static_cast<std::uint32_t>(a.dropout_key[0]), static_cast<std::uint32_t>(a.dropout_key[1])});
  const std::uint32_t half = j % 128 / 16;
  const std::uint32_t draw = (words[half / 2] >> (half % 2 * 16)) & 0xFFFFU;
  const double dropped = std::round(a.options.dropout.rate * 65536);
  return draw < dropped ? 0 : 65536 / (65536 - dropped);
}

/// One query, head and key at a time, straight from the definition in engine/ops/attention.h.
[[nodiscard]] inline NaiveResult naive_attention(const NaiveAttention& a) {
  const std::int64_t heads = a.options.heads;
  const std::int64_t dim = a.q.dim(1) / heads;
  NaiveResult result{Tensor(Dtype::f64, a.q.dims()), Tensor(Dtype::f64, {a.q.dim(0), heads})};
  const auto o = result.o.values<double>();
  for (std::int32_t segment = 0; segment < a.q_rows.count(); ++segment) {
    for (std::int32_t row = a.q_rows.offset(segment); row < a.q_rows.offset(segment + 1); ++row) {
      const std::int32_t position = position_of(a.q_rows, segment, row);
      const std::vector<NaiveKey> keys = naive_keys(a, segment, position);
      for (std::int64_t h = 0; h < heads && !keys.empty(); ++h) {
        const std::int64_t kv_head = h / (heads / a.options.kv_heads);
        double sum = 0;
        std::vector<double> weights;
        for (const NaiveKey& key : keys) {
          double score = 0;
          for (std::int64_t c = 0; c < dim; ++c) score += element(a.q, row, h, dim, c) * element(*key.keys, key.row, kv_head, dim, c);
          for (std::int64_t c = 0; c < dim && key.keys == &a.k; ++c) {
            const std::int64_t t = disentangled_position_row(position - key.position, a.options.disentangled);
            if (a.position_k.defined()) score += element(a.q, row, h, dim, c) * element(a.position_k, t, h, dim, c);
            if (a.position_q.defined()) score += element(a.k, key.row, h, dim, c) * element(a.position_q, t, h, dim, c);
          }
          score *= a.options.scale;
          if (a.bias_table.defined() && key.has_bias) {
            score +=
                element(a.bias_table, relative_position_bucket(key.position - position, a.options.relative, a.bias_table.dim(0)), h, 1, 0);
          }
          weights.push_back(std::exp(score));
          sum += weights.back();
        }
        result.log_sum_exp.values<double>()[static_cast<std::size_t>(row * heads + h)] = std::log(sum);
        for (std::int64_t c = 0; c < dim; ++c) {
          double& out = o[static_cast<std::size_t>(row * heads * dim + h * dim + c)];
          for (std::size_t j = 0; j < keys.size(); ++j)
            out += weights[j] / sum * dropout_factor(a, segment, position, h, keys[j].number) * element(*keys[j].values, keys[j].row, kv_head, dim, c);
        }
      }
    }
  }
  return result;
}

}  // namespace preamble::testing
