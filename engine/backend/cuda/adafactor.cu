#include <algorithm>
#include <array>
#include <vector>

#include "engine/backend/cuda/adafactor_scratch.h"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/update.cuh"
#include "engine/ops/adafactor.h"

namespace preamble::cuda {
namespace {

/// Arrays of a parameter: value, gradient, and its states for rows, columns and elements.
using List = TensorList<5>;
constexpr int kValue = 0, kGradient = 1, kRows = 2, kColumns = 3, kElements = 4;

constexpr int kColumnThreads = 1024;

struct AdafactorCall {
  UpdateNumbers numbers;
  AdafactorOptions options;
  double* means;
  double* rates;
  double* squares;  ///< of the list's first block

  [[nodiscard]] __device__ double decay() const {
    return 1 - pow(static_cast<double>(*numbers.step + options.step_offset) + 1, -options.decay_rate);
  }
  /// g² + ε, for the states of rows and columns.
  [[nodiscard]] __device__ double square(float gradient) const {
    const float g = __fmul_rn(gradient, *numbers.scale);
    return static_cast<double>(g) * static_cast<double>(g) + options.epsilon;
  }
  __device__ void mix(float& state, double mean) const {
    const double d = decay();
    state = static_cast<float>(d * static_cast<double>(state) + (1 - d) * mean);
  }
};

/// Has the parameter a state for each row and column? The others have one for each element.
[[nodiscard]] __device__ inline bool is_factored(const List& list, int tensor) { return list.data[kElements][tensor] == nullptr; }

/// x^-½, and 0 for 0: nothing has been seen there, and nothing is to be moved.
template <class Number>
[[nodiscard]] __device__ inline Number inverse_root(Number x) {
  return x > 0 ? 1 / sqrt(x) : Number(0);
}

/// r: decayed means of g² + ε over each row. A warp owns a row.
__global__ void __launch_bounds__(kThreads) row_states_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  const std::int64_t row = block * (kThreads / kWarp) + threadIdx.x / kWarp, width = list.width[tensor];
  if (row >= list.height[tensor]) return;
  const float* gradient = list.data[kGradient][tensor] + row * width;
  double sum = 0;
  for (std::int64_t column = threadIdx.x % kWarp; column < width; column += kWarp) sum += call.square(gradient[column]);
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) call.mix(list.data[kRows][tensor][row], sum / static_cast<double>(width));
}

/// c: the same over each column. A block owns 32 columns; each of its warps sums every 32nd row, then the warps' sums are added in order.
__global__ void __launch_bounds__(kColumnThreads) column_states_kernel(__grid_constant__ const List list, AdafactorCall call) {
  constexpr int kWarps = kColumnThreads / kWarp;
  __shared__ double sums[kWarps][kWarp];
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t column = static_cast<std::int64_t>(block) * kWarp + lane, width = list.width[tensor], height = list.height[tensor];
  double sum = 0;
  if (column < width) {
    const float* gradient = list.data[kGradient][tensor] + column;
#pragma unroll 4
    for (std::int64_t row = warp; row < height; row += kWarps) sum += call.square(gradient[row * width]);
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= width) return;
  for (int other = 1; other < kWarps; ++other) sum += sums[other][lane];
  call.mix(list.data[kColumns][tensor][column], sum / static_cast<double>(height));
}

/// Mean of r. A block owns a parameter.
__global__ void __launch_bounds__(kThreads) row_means_kernel(__grid_constant__ const List list, AdafactorCall call) {
  const int tensor = static_cast<int>(blockIdx.x);
  if (!is_factored(list, tensor)) return;
  const std::int64_t height = list.height[tensor];
  double sum = 0;
  for (std::int64_t row = threadIdx.x; row < height; row += kThreads) sum += static_cast<double>(list.data[kRows][tensor][row]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) call.means[list.first + tensor] = sum / static_cast<double>(height);
}

/// v: decayed g² + ε of each element. A block owns some elements.
__global__ void __launch_bounds__(kThreads) element_states_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  if (is_factored(list, tensor)) return;
  const double d = call.decay();
  const auto keep = static_cast<float>(d), add = static_cast<float>(1 - d), epsilon = static_cast<float>(call.options.epsilon);
  const float scale = *call.numbers.scale;
  const float* gradients = list.data[kGradient][tensor];
  float* states = list.data[kElements][tensor];
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float gradient[kOctet], v[kOctet];
    load(gradients + first, left, gradient);
    load(states + first, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const float g = __fmul_rn(gradient[i], scale);
      v[i] = __fadd_rn(__fmul_rn(keep, v[i]), __fmul_rn(add, __fadd_rn(__fmul_rn(g, g), epsilon)));
    }
    store(states + first, left, v);
  });
}

/// y of elements first, first + 1, ...
__device__ inline void directions(const List& list, const AdafactorCall& call, int tensor, std::int64_t first, std::int64_t left,
                                  float (&y)[kOctet]) {
  load(list.data[kGradient][tensor] + first, left, y);
  const float scale = *call.numbers.scale;
  if (!is_factored(list, tensor)) {
    float v[kOctet];
    load(list.data[kElements][tensor] + first, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) y[i] = y[i] * scale * inverse_root(v[i]);
    return;
  }
  const std::int64_t width = list.width[tensor];
  const double mean = call.means[list.first + tensor];
  std::int64_t row = first / width, column = first % width;
  // in double: beside large rows the quotient may be below the smallest float, and its root above the largest
  double root = inverse_root(static_cast<double>(list.data[kRows][tensor][row]) / mean);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    if (i >= left) continue;
    if (column == width) {
      column = 0;
      ++row;
      root = inverse_root(static_cast<double>(list.data[kRows][tensor][row]) / mean);
    }
    y[i] = static_cast<float>(static_cast<double>(y[i] * scale) * root) * inverse_root(list.data[kColumns][tensor][column]);
    ++column;
  }
}

/// Σ y² of a block's elements.
__global__ void __launch_bounds__(kThreads) squares_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  double sum = 0;
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float y[kOctet];
    directions(list, call, tensor, first, left, y);
#pragma unroll
    for (const float v : y) sum += static_cast<double>(v) * static_cast<double>(v);
  });
  sum = block_sum(sum);
  if (threadIdx.x == 0) call.squares[blockIdx.x] = sum;
}

/// Σ p² of a block's elements, in place of Σ y².
__global__ void __launch_bounds__(kThreads) value_squares_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  double sum = 0;
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float p[kOctet];
    load(list.data[kValue][tensor] + first, left, p);
#pragma unroll
    for (const float v : p) sum += static_cast<double>(v) * static_cast<double>(v);
  });
  sum = block_sum(sum);
  if (threadIdx.x == 0) call.squares[blockIdx.x] = sum;
}

/// Root of the mean of a parameter's squares; of all threads of a block, the first one has it.
[[nodiscard]] __device__ inline double rms_of(const List& list, const AdafactorCall& call, int tensor) {
  double sum = 0;
  for (std::int32_t b = (tensor > 0 ? list.end[tensor - 1] : 0) + static_cast<std::int32_t>(threadIdx.x); b < list.end[tensor];
       b += kThreads) {
    sum += call.squares[b];
  }
  sum = block_sum(sum);
  return sqrt(sum / static_cast<double>(list.count(tensor)));
}

/// Multiplies the rate by max(10^-3, RMS(p)). A block owns a parameter.
__global__ void __launch_bounds__(kThreads) scale_rates_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const int tensor = static_cast<int>(blockIdx.x);
  const double rms = rms_of(list, call, tensor);
  if (threadIdx.x == 0) call.rates[list.first + tensor] *= fmax(Adafactor::kSmallestScale, rms);
}

/// lr / max(1, RMS(y) / clip). A block owns a parameter.
__global__ void __launch_bounds__(kThreads) rates_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const int tensor = static_cast<int>(blockIdx.x);
  const double rms = rms_of(list, call, tensor);
  if (threadIdx.x != 0) return;
  call.rates[list.first + tensor] = *call.numbers.learning_rate / fmax(1.0, rms / call.options.clip_threshold);
}

/// p = (1 - w) p - rate y. A block owns some elements.
__global__ void __launch_bounds__(kThreads) apply_kernel(__grid_constant__ const List list, AdafactorCall call) {
  if (!call.numbers.sound()) return;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  const auto rate = static_cast<float>(call.rates[list.first + tensor]);
  const auto keep = static_cast<float>(1 - call.options.weight_decay);
  float* values = list.data[kValue][tensor];
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float p[kOctet], y[kOctet];
    load(values + first, left, p);
    directions(list, call, tensor, first, left, y);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) p[i] = __fsub_rn(__fmul_rn(keep, p[i]), __fmul_rn(rate, y[i]));
    store(values + first, left, p);
  });
}

}  // namespace

/// All parameters together: first the states, then y's size, then the values; each pass is one launch for up to 256 parameters.
template <class T>
void adafactor(const Arguments& args) {
  const auto& op = static_cast<const Adafactor&>(args.op);
  std::int64_t blocks = 0;
  for (std::size_t i = 0; i < op.parameters(); ++i) blocks += element_blocks(parameter_views(args, i)[0]);
  const AdafactorScratch scratch = AdafactorScratch::of(static_cast<std::int64_t>(op.parameters()), blocks);
  const auto region = [&](std::int64_t offset) { return reinterpret_cast<double*>(args.scratch + offset); };
  AdafactorCall call{UpdateNumbers(args), op.options, region(0), region(scratch.means), region(scratch.means + scratch.rates)};

  const auto factored = [&](const View& v) { return v.dims != nullptr && op.options.factored(*v.dims); };
  const auto views = [&](std::size_t i) {
    // a state that a parameter does not have is absent
    std::array<View, 5> all;
    std::ranges::copy(parameter_views(args, i).first(5), all.begin());
    for (const int state : factored(all[0]) ? std::vector{kElements} : std::vector{kRows, kColumns})
      all[static_cast<std::size_t>(state)].data = nullptr;
    return all;
  };
  const auto pass = [&](const auto& blocks_of, const auto& body) {
    for_tensor_lists<5>("adafactor", op.parameters(), views, blocks_of, body);
  };
  const auto run = [&](void (*kernel)(List, AdafactorCall), std::int64_t count, int threads, const List& list) {
    launch("adafactor", kernel, count, threads, args.queue, list, call);
  };
  pass([&](const View& v) { return factored(v) ? ceil_div((*v.dims)[0], kThreads / kWarp) : 0; },
       [&](const List& list) { run(row_states_kernel, list.blocks(), kThreads, list); });
  pass([&](const View& v) { return factored(v) ? ceil_div((*v.dims)[1], kWarp) : 0; },
       [&](const List& list) { run(column_states_kernel, list.blocks(), kColumnThreads, list); });
  pass(element_blocks, [&](const List& list) {
    run(row_means_kernel, list.tensors, kThreads, list);
    run(element_states_kernel, list.blocks(), kThreads, list);
    run(squares_kernel, list.blocks(), kThreads, list);
    run(rates_kernel, list.tensors, kThreads, list);
    if (op.options.scale_parameter) {
      run(value_squares_kernel, list.blocks(), kThreads, list);
      run(scale_rates_kernel, list.tensors, kThreads, list);
    }
    run(apply_kernel, list.blocks(), kThreads, list);
    call.squares += list.blocks();
  });
}

template void adafactor<float>(const Arguments&);
template void adafactor<Bf16>(const Arguments&);

}  // namespace preamble::cuda
