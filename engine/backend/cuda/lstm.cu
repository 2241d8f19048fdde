#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/lstm_scratch.h"
#include "engine/backend/cuda/recurrence.cuh"
#include "engine/ops/lstm.h"

namespace preamble::cuda {
namespace {

template <class T, class W>
struct LstmCall {
  Recurrence walk;
  std::int64_t hidden;
  const T* x;
  const W* w;
  Reals bias;
  T* h;  ///< may be absent, as the other two
  T* gates;
  T* cells;
  float* states[2];  ///< h before and behind a step, by turns
  float* c;
};

/// z of one unit's four gates: every lane gets all of them. W's four rows of the unit are read once, eight numbers a lane at a time.
template <class W>
__device__ inline void gate_products(const W* w, const float* h, std::int64_t n, std::int64_t unit, int lane, float (&z)[4]) {
  for (float& v : z) v = 0;
  for (std::int64_t k = lane * kOctet; k < n; k += kWarp * kOctet) {
    float state[kOctet], row[kOctet];
    load(h + k, n - k, state);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) {
      load(w + (gate * n + unit) * n + k, n - k, row);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) z[gate] += row[i] * state[i];
    }
  }
#pragma unroll
  for (float& v : z) v = warp_sum(v);
}

/// All blocks make one step of all segments together, a warp one unit of one segment, and wait for each other behind it.
template <class T, class W>
__global__ void __launch_bounds__(kThreads) lstm_kernel(LstmCall<T, W> call) {
  const auto grid = cooperative_groups::this_grid();
  const std::int64_t n = call.hidden, units = call.walk.layout->segments * n;
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * (kThreads / kWarp), warp = thread_index() / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int32_t steps = call.walk.steps();
  for (std::int64_t i = thread_index(); i < units; i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    call.states[0][i] = 0;
    call.c[i] = 0;
  }
  for (std::int32_t t = 0; t < steps; ++t) {
    grid.sync();
    for (std::int64_t item = warp; item < units; item += warps) {
      const std::int64_t segment = item / n, unit = item % n;
      if (t >= call.walk.length(segment)) continue;
      const std::int64_t r = call.walk.row(segment, t);
      float z[4];
      gate_products(call.w, call.states[t % 2] + segment * n, n, unit, lane, z);
      if (lane != 0) continue;
#pragma unroll
      for (int gate = 0; gate < 4; ++gate) z[gate] += to_float(call.x[(4 * r + gate) * n + unit]) + call.bias[gate * n + unit];
      const float i = sigmoid_of<float>(z[0]), f = sigmoid_of<float>(z[1]), g = tanhf(z[2]), o = sigmoid_of<float>(z[3]);
      const float c = f * call.c[item] + i * g;
      const float h = o * tanhf(c);
      call.c[item] = c;
      call.states[(t + 1) % 2][item] = h;
      if (call.h != nullptr) call.h[r * n + unit] = from_float<T>(h);
      if (call.cells != nullptr) call.cells[r * n + unit] = from_float<T>(c);
      if (call.gates == nullptr) continue;
      const float gates[4] = {i, f, g, o};
#pragma unroll
      for (int gate = 0; gate < 4; ++gate) call.gates[(4 * r + gate) * n + unit] = from_float<T>(gates[gate]);
    }
  }
}

}  // namespace

template <class T>
void lstm(const Arguments& args) {
  const View& x = args.in[Lstm::kInput];
  const View& w = args.in[Lstm::kWeight];
  const std::int64_t n = x.width / 4;
  const LstmScratch scratch = LstmScratch::of({.rows = x.rows, .segments = x.segments, .hidden = n, .activation = real_dtype<T>});
  const auto state = [&](int i) { return reinterpret_cast<float*>(args.scratch + i * scratch.state); };
  with_real(w.dtype, [&]<class W>() {
    const LstmCall<T, W> call{{x.layout, static_cast<const Lstm&>(args.op).reversed},
                              n,
                              x.as<const T>(),
                              w.as<const W>(),
                              Reals(args.in[Lstm::kBias]),
                              args.output(0).as<T>(),
                              args.output(Lstm::kGates).as<T>(),
                              args.output(Lstm::kCells).as<T>(),
                              {state(0), state(1)},
                              state(2)};
    launch_together("lstm", lstm_kernel<T, W>, kThreads, args.queue, call);
  });
}

template void lstm<float>(const Arguments&);
template void lstm<Bf16>(const Arguments&);

}  // namespace preamble::cuda
