#include "engine/ops/rotary.h"

#include <algorithm>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// One head, whose result may lie over it. `sign`: of the sines.
template <class T>
void turn(const T* x, const T* angles, T sign, std::int64_t m, T* y) noexcept {
  const T* cosines = angles;
  const T* sines = angles + m;
#pragma omp simd
  for (std::int64_t i = 0; i < m; ++i) {
    const T first = x[i];
    const T second = x[m + i];
    const T sine = sign * sines[i];
    y[i] = cosines[i] * first - sine * second;
    y[m + i] = cosines[i] * second + sine * first;
  }
}

}  // namespace

template <class T>
void rotary(const KernelArguments& args) {
  const auto& op = static_cast<const Rotary&>(args.op);
  const View& x = args.in[Rotary::kInput];
  const View& angles = args.in[Rotary::kAngles];
  const View& y = args.out[0];
  const std::int64_t m = angles.width / 2;
  const std::int64_t dim = x.width / op.heads;
  const T sign = op.inverse ? T(-1) : T(1);
  parallel_for(x.rows, std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, x.width)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t head = 0; head < op.heads; ++head) {
        const T* from = x.as<const T>() + r * x.width + head * dim;
        T* to = y.as<T>() + r * x.width + head * dim;
        turn(from, angles.as<const T>() + r * angles.width, sign, m, to);
        if (to != from) std::copy(from + 2 * m, from + dim, to + 2 * m);
      }
    }
  });
}

template void rotary<float>(const KernelArguments&);
template void rotary<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
