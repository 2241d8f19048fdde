#include "engine/ops/top_k.h"

#include <cmath>

#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {
namespace {

/// What a launch computes. What is not wanted is absent.
struct TopKCall {
  Matrix size;  ///< of the logits
  std::int64_t k = 0;
  bool normalises = false;
  const std::int32_t* asked = nullptr;  ///< [rows, asked_width]
  std::int64_t asked_width = 0;
  Reals offset;
  std::uint32_t* marks = nullptr;  ///< [rows, words]: a bit for each entry, set if it is asked for
  std::int64_t words = 0;
  float* scores = nullptr;
  std::int32_t* index = nullptr;
  float* largest = nullptr;
  float* log_sum = nullptr;
  float* asked_scores = nullptr;
};

/// A score and where it stands; index -1: none, worse than all.
struct Entry {
  float score = -INFINITY;
  std::int32_t index = -1;

  [[nodiscard]] __device__ bool better_than(const Entry& other) const {
    if (index < 0 || other.index < 0) return index >= 0;
    return score > other.score || (score == other.score && index < other.index);
  }
};

[[nodiscard]] __device__ Entry warp_best(Entry x) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const Entry other{__shfl_xor_sync(0xFFFFFFFFU, x.score, step), __shfl_xor_sync(0xFFFFFFFFU, x.index, step)};
    if (other.better_than(x)) x = other;
  }
  return x;
}

/// Every thread gets the best. The order is total, so that the order of comparisons does not matter.
[[nodiscard]] __device__ Entry block_best(Entry x) {
  __shared__ float scores[kWarp];
  __shared__ std::int32_t indices[kWarp];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  x = warp_best(x);
  __syncthreads();  // what a call before this one left has been read
  if (lane == 0) {
    scores[warp] = x.score;
    indices[warp] = x.index;
  }
  __syncthreads();
  return warp_best(lane < blockDim.x / kWarp ? Entry{scores[lane], indices[lane]} : Entry{});
}

/// A block owns a row. It reads it for the largest logit, for the sum of exponentials, and for the best entry of each thread's columns;
/// then the best of all is written k times, and each time only the thread that had it reads its columns again for the next.
template <class T>
__global__ void __launch_bounds__(kThreads) top_k_kernel(TopKCall call, const T* logits) {
  const std::int64_t row = blockIdx.x, columns = call.size.columns;
  if (row >= call.size.rows()) return;
  const T* x = logits + row * columns;
  float top = -INFINITY, nan = 0;
  for (std::int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
    const float logit = to_float(x[i]);
    nan = isnan(logit) ? 1.0F : nan;
    top = fmaxf(top, logit);
  }
  top = block_max(top);
  if (block_max(nan) > 0) top = NAN;
  float log_sum = 0;
  if (call.normalises || call.log_sum != nullptr) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < columns; i += blockDim.x) sum += static_cast<double>(expf(to_float(x[i]) - top));
    log_sum = static_cast<float>(log(block_sum(sum)));
  }
  if (threadIdx.x == 0) {
    if (call.largest != nullptr) call.largest[row] = top;
    if (call.log_sum != nullptr) call.log_sum[row] = log_sum;
  }
  const float shift = call.normalises ? top : 0.0F, norm = call.normalises ? log_sum : 0.0F;
  const std::int32_t* asked = call.asked != nullptr ? call.asked + row * call.asked_width : nullptr;
  for (std::int64_t a = threadIdx.x; call.asked_scores != nullptr && a < call.asked_width; a += blockDim.x) {
    call.asked_scores[row * call.asked_width + a] = asked[a] < 0 ? -INFINITY : to_float(x[asked[a]]) - shift - norm;
  }
  if (call.scores == nullptr && call.index == nullptr) return;
  std::uint32_t* marks = call.marks != nullptr ? call.marks + row * call.words : nullptr;
  if (marks != nullptr) {
    for (std::int64_t w = threadIdx.x; w < call.words; w += blockDim.x) marks[w] = 0;
    __syncthreads();
    for (std::int64_t a = threadIdx.x; a < call.asked_width; a += blockDim.x) {
      if (asked[a] >= 0) atomicOr(marks + asked[a] / 32, 1U << (asked[a] % 32));
    }
    __syncthreads();
  }
  const float offset = call.offset ? call.offset[row] : 0.0F;
  // the best of this thread's columns behind `last`
  const auto next = [&](const Entry& last) {
    Entry best;
    for (std::int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      const Entry entry{to_float(x[i]) - shift - norm + offset, static_cast<std::int32_t>(i)};
      if (isnan(entry.score) || !entry.better_than(best) || (last.index >= 0 && !last.better_than(entry))) continue;
      if (marks == nullptr || (marks[i / 32] >> (i % 32) & 1U) == 0) best = entry;
    }
    return best;
  };
  Entry mine = next({});
  for (std::int64_t i = 0; i < call.k; ++i) {
    const Entry best = block_best(mine);
    if (threadIdx.x == 0) {
      if (call.scores != nullptr) call.scores[row * call.k + i] = best.score;
      if (call.index != nullptr) call.index[row * call.k + i] = best.index;
    }
    if (best.index >= 0 && best.index == mine.index) mine = next(best);
  }
}

}  // namespace

template <class T>
void top_k(const Arguments& args) {
  const auto& op = static_cast<const TopK&>(args.op);
  const View& logits = args.in[TopK::kLogits];
  const View asked = args.operand(TopK::kAsked);
  TopKCall call;
  call.size = {logits.layout, logits.rows, logits.width};
  call.k = op.count;
  call.normalises = op.normalises;
  call.offset = Reals(args.operand(TopK::kOffset));
  call.scores = args.output(TopK::kScores).as<float>();
  call.index = args.output(TopK::kIndex).as<std::int32_t>();
  call.largest = args.output(TopK::kLargest).as<float>();
  call.log_sum = args.output(TopK::kLogSum).as<float>();
  if (asked) {
    call.asked = asked.as<const std::int32_t>();
    call.asked_width = asked.width;
    call.asked_scores = args.output(TopK::kAskedScores).as<float>();
    call.marks = reinterpret_cast<std::uint32_t*>(args.scratch);
    call.words = ceil_div(logits.width, 32);
  }
  with_real(logits.dtype, [&]<class L>() { launch("top_k", top_k_kernel<L>, logits.rows, kThreads, args.queue, call, logits.as<const L>()); });
}

template void top_k<float>(const Arguments&);
template void top_k<Bf16>(const Arguments&);

}  // namespace preamble::cuda
