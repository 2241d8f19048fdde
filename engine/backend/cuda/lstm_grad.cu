#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/lstm_scratch.h"
#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/recurrence.cuh"
#include "engine/ops/lstm.h"

namespace preamble::cuda {
namespace {

constexpr int kBackwardThreads = 512;

template <class T, class W>
struct LstmGradCall {
  Recurrence walk;
  std::int64_t hidden;
  const W* w;
  const T* gates;
  const T* cells;
  const T* dy;
  T* dz;           ///< [rows, 4 hidden]
  float* dh;       ///< [segments, hidden]: share of the step behind
  float* dc;       ///< likewise
  float* step_dz;  ///< [segments, 4 hidden] of one step
};

/// dz of one unit of one segment at row r, and dc for the step before.
template <class T, class W>
__device__ inline void unit_gradient(const LstmGradCall<T, W>& call, std::int64_t segment, std::int64_t unit, std::int64_t r) {
  const std::int64_t n = call.hidden, item = segment * n + unit;
  const auto gate = [&](int k) { return to_float(call.gates[(4 * r + k) * n + unit]); };
  const float i = gate(0), f = gate(1), g = gate(2), o = gate(3);
  const float dh = to_float(call.dy[r * n + unit]) + call.dh[item];
  const float tanh_c = tanhf(to_float(call.cells[r * n + unit]));
  const float dc = dh * o * (1 - tanh_c * tanh_c) + call.dc[item];
  const std::int64_t before = call.walk.before(r);
  const float c_before = before < 0 ? 0.0F : to_float(call.cells[before * n + unit]);
  const float dz[4] = {dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)};
  call.dc[item] = dc * f;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    call.step_dz[(4 * segment + k) * n + unit] = dz[k];
    call.dz[(4 * r + k) * n + unit] = from_float<T>(dz[k]);
  }
}

/// dh = Wᵀ dz for 32 units of a segment, by a block: each warp sums every sixteenth row of W, then the warps' sums are added in order.
template <class T, class W>
__device__ inline void hidden_gradient(const LstmGradCall<T, W>& call, std::int64_t segment, std::int64_t first) {
  constexpr int kWarps = kBackwardThreads / kWarp;
  __shared__ float sums[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t n = call.hidden, unit = first + lane;
  const float* dz = call.step_dz + 4 * segment * n;
  float sum = 0;
  if (unit < n) {
#pragma unroll 8
    for (std::int64_t k = warp; k < 4 * n; k += kWarps) sum += dz[k] * to_float(call.w[k * n + unit]);
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp == 0 && unit < n) {
#pragma unroll
    for (int other = 1; other < kWarps; ++other) sum += sums[other][lane];
    call.dh[segment * n + unit] = sum;
  }
  __syncthreads();
}

/// All blocks make one step of all segments together, from the last to the first: dz, a thread a unit; then dh for the step before.
template <class T, class W>
__global__ void __launch_bounds__(kBackwardThreads) lstm_grad_kernel(LstmGradCall<T, W> call) {
  const auto grid = cooperative_groups::this_grid();
  const std::int64_t n = call.hidden, segments = call.walk.layout->segments, units = segments * n;
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kBackwardThreads, groups = (n + kWarp - 1) / kWarp;
  const std::int32_t steps = call.walk.steps();
  for (std::int64_t i = thread_index(); i < units; i += threads) call.dh[i] = call.dc[i] = 0;
  for (std::int32_t t = steps - 1; t >= 0; --t) {
    grid.sync();
    for (std::int64_t item = thread_index(); item < units; item += threads) {
      const std::int64_t segment = item / n;
      if (t < call.walk.length(segment)) unit_gradient(call, segment, item % n, call.walk.row(segment, t));
    }
    grid.sync();
    for (std::int64_t item = blockIdx.x; item < segments * groups; item += gridDim.x) {
      const std::int64_t segment = item / groups;
      if (t < call.walk.length(segment)) hidden_gradient(call, segment, item % groups * kWarp);
    }
  }
}

/// to[r, :] = h of the row before r, 0 where there is none and behind the true rows. A thread owns eight columns of a row.
template <class T>
__global__ void __launch_bounds__(kThreads) rows_before_kernel(Recurrence walk, const T* h, T* to, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.bound) return;
  const std::int64_t before = row < size.rows() ? walk.before(row) : -1;
  float v[kOctet] = {};
  if (before >= 0) load(h + before * size.columns + column, left, v);
  store(to + row * size.columns + column, left, v);
}

}  // namespace

template <class T>
void lstm_grad(const Arguments& args) {
  const View& w = args.in[LstmGrad::kWeight];
  const View& h = args.in[LstmGrad::kHidden];
  const View dw = args.output(1);
  const std::int64_t n = h.width;
  const LstmScratch scratch = LstmScratch::of({.rows = h.rows, .segments = h.segments, .hidden = n, .activation = real_dtype<T>});
  const auto state = [&](int i) { return reinterpret_cast<float*>(args.scratch + i * scratch.state); };
  std::byte* rows = args.scratch + LstmScratch::kBackwardStates * scratch.state;
  View dz = args.output(0);
  if (!dz) {
    dz = args.in[LstmGrad::kGates];
    dz.data = rows;
  }
  const Recurrence walk{h.layout, static_cast<const LstmGrad&>(args.op).reversed};
  with_real(w.dtype, [&]<class W>() {
    const LstmGradCall<T, W> call{walk,
                                  n,
                                  w.as<const W>(),
                                  args.in[LstmGrad::kGates].as<const T>(),
                                  args.in[LstmGrad::kCells].as<const T>(),
                                  args.in[LstmGrad::kGradient].as<const T>(),
                                  dz.as<T>(),
                                  state(0),
                                  state(1),
                                  state(2)};
    launch_together("lstm_grad", lstm_grad_kernel<T, W>, kBackwardThreads, args.queue, call);
  });
  if (!dw) return;
  auto* before = reinterpret_cast<T*>(rows + scratch.dz);
  const Matrix size{h.layout, h.rows, n};
  launch_each("lstm_grad", rows_before_kernel<T>, size.bound * octets_of(n), args.queue, walk, h.as<const T>(), before, size);
  clear_tail("lstm_grad", dz, args.queue);
  Product p;
  p.m = 4 * n, p.n = n, p.k = h.rows;
  p.a_type = p.b_type = real_dtype<T>;
  p.a = dz.data, p.lda = 4 * n, p.transpose_a = true;
  p.b = before, p.ldb = n;
  p.c = dw.data, p.c_type = dw.dtype, p.ldc = n;
  args.queue.products->run(p);
}

template void lstm_grad<float>(const Arguments&);
template void lstm_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
