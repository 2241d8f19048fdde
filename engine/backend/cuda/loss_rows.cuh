// The loss of rows of logits, for all cross entropies. Included by .cu files alone.
#pragma once

#include <cmath>

#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Most threads of a block: as many as one multiprocessor runs, so that the rows which are read again are still in the L2 cache.
inline constexpr int kLossThreads = 1024;

/// Rows [first, first + gridDim) of a row space. What is not wanted is absent.
struct LossRows {
  Matrix size;  ///< of all logits
  std::int64_t first = 0;
  Reals bias;  ///< [V], added to every row
  const std::int32_t* labels = nullptr;
  double z_loss = 0;
  Reals weight;             ///< one number, or one for each row
  bool weighs_rows = false;  ///< the latter: terms are multiplied with it
  Reals dloss;              ///< one number; absent: 1
  double* terms = nullptr;   ///< gets nll + z_loss lse² of each row
  Reals nll;
};

/// What the sum of the terms is multiplied with: nothing where the terms are weighted.
inline Reals factor_of(const LossRows& call) { return call.weighs_rows ? Reals() : call.weight; }

/// Largest logit of a row and Σ exp(logit - largest): each thread keeps both for its columns, in one pass.
/// D says how exact an exponential is: the type of what is made of it.
template <class D>
struct RowSoftmax {
  float largest = -INFINITY;
  float sum = 0;

  __device__ void add(const float (&v)[kOctet]) {
    float m = largest;
#pragma unroll
    for (float x : v) m = fmaxf(m, x);
    if (m == -INFINITY) return;
    if (m > largest) sum *= exp_of<D>(largest - m);
    largest = m;
#pragma unroll
    for (float x : v) sum += exp_of<D>(x - m);
  }
};

/// Eight logits of a row; -∞ behind the end.
template <class L>
__device__ inline void load_logits(const L* row, const Reals& bias, std::int64_t first, std::int64_t columns, float (&v)[kOctet]) {
  const std::int64_t left = columns - first;
  load(row + first, left, v);
  if (bias) {
    float b[kOctet];
    load(bias, first, left, b);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) v[i] += b[i];
  }
#pragma unroll
  for (int i = 0; i < kOctet; ++i) v[i] = i < left ? v[i] : -INFINITY;
}

/// A block owns a row of logits and reads it once for the softmax, and once more for the gradient
/// d[v] = weight dloss (p[v] (1 + 2 z_loss lse) - [v = label]), if that is wanted. d may lie where the logits lie, with its first number at
/// theirs, even in the narrower type: numbers are written behind a barrier after everybody has read those that they overwrite. Rows of the
/// launch that do not exist get a gradient of zero.
template <class L, class D>
__global__ void __launch_bounds__(kLossThreads)
    loss_rows_kernel(LossRows call, const L* logits, std::int64_t logits_stride, D* d, std::int64_t d_stride) {
  const std::int64_t columns = call.size.columns, row = call.first + blockIdx.x;
  const L* x = logits + blockIdx.x * logits_stride;
  const std::int64_t tile = static_cast<std::int64_t>(blockDim.x) * kOctet, mine = static_cast<std::int64_t>(threadIdx.x) * kOctet;
  if (d != nullptr) d += blockIdx.x * d_stride;
  float v[kOctet];
  if (row >= call.size.rows()) {
    const float zeros[kOctet] = {};
    for (std::int64_t first = mine; d != nullptr && first < columns; first += tile) store(d + first, columns - first, zeros);
    return;
  }
  RowSoftmax<D> softmax;
#pragma unroll 2
  for (std::int64_t first = mine; first < columns; first += tile) {
    load_logits(x, call.bias, first, columns, v);
    softmax.add(v);
  }
  const float shift = block_max(softmax.largest);
  const double sum = block_sum(
      softmax.largest == -INFINITY ? 0.0 : static_cast<double>(softmax.sum) * static_cast<double>(exp_of<D>(softmax.largest - shift)));
  const double log_sum = log(sum), lse = static_cast<double>(shift) + log_sum;
  const std::int64_t label = call.labels[row];
  if (threadIdx.x == 0 && (call.terms != nullptr || call.nll)) {
    // no label of the vocabulary: the loss says so
    const float of_label = label >= 0 && label < columns ? to_float(x[label]) + (call.bias ? call.bias[label] : 0.0F) : NAN;
    const double nll = log_sum + (static_cast<double>(shift) - static_cast<double>(of_label));
    const double weight = call.weighs_rows ? static_cast<double>(call.weight[row]) : 1.0;
    if (call.terms != nullptr) call.terms[row] = weight * (nll + call.z_loss * lse * lse);
    if (call.nll) call.nll.set(row, static_cast<float>(nll));
  }
  if (d == nullptr) return;
  const double weight = static_cast<double>(call.weight[call.weighs_rows ? row : 0]) * (call.dloss ? static_cast<double>(call.dloss[0]) : 1.0);
  const auto factor = static_cast<float>(weight * (1 + 2 * call.z_loss * lse) / sum);
  for (std::int64_t start = 0; start < columns; start += tile) {
    const std::int64_t first = start + mine;
    if (first < columns) load_logits(x, call.bias, first, columns, v);
    __syncthreads();
    if (first >= columns) continue;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      v[i] = factor * exp_of<D>(v[i] - shift);
      if (first + i == label) v[i] -= static_cast<float>(weight);
    }
    store(d + first, columns - first, v);
  }
}

/// Launches for `rows` rows.
template <class L, class D>
void loss_rows(const char* name, const LossRows& call, std::int64_t rows, const L* logits, std::int64_t logits_stride, D* d,
               std::int64_t d_stride, const Queue& queue) {
  const std::int64_t wanted = ceil_div(ceil_div(call.size.columns, kOctet), kWarp) * kWarp;
  const int threads = wanted < kLossThreads ? static_cast<int>(wanted) : kLossThreads;
  launch(name, loss_rows_kernel<L, D>, rows, threads, queue, call, logits, logits_stride, d, d_stride);
}

}  // namespace preamble::cuda
