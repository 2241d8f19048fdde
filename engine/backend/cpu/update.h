// What the kernels of all optimizers share.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/update.h"

namespace preamble::PREAMBLE_ISA {

/// Elements of a parameter that one task updates.
inline constexpr std::int64_t kUpdateBlock = 1 << 14;

/// The scalars of an update.
struct UpdateArguments {
  explicit UpdateArguments(const KernelArguments& args)
      : op(static_cast<const UpdateOp&>(args.op)),
        learning_rate(*args.in[UpdateOp::kLearningRate].as<const double>()),
        step(*args.in[UpdateOp::kStep].as<const std::int64_t>()) {}

  const UpdateOp& op;
  double learning_rate;
  std::int64_t step;
};

/// The factor of the gradients.
template <class T>
[[nodiscard]] T scale_of(const KernelArguments& args) noexcept {
  return *args.in[UpdateOp::kScale].as<const T>();
}

/// Σ f(i) over [0, count) in double: at most `kLanes` blocks of at least `grain` indices, whose sums are added in order.
template <class F>
[[nodiscard]] double block_sum(std::int64_t count, std::int64_t grain, const F& f) {
  constexpr std::int64_t kLanes = 256;
  const std::int64_t block = std::max(grain, (count + kLanes - 1) / kLanes);
  std::array<double, kLanes> partial;
  parallel_for(count, block, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += f(i);
    partial[static_cast<std::size_t>(begin / block)] = sum;
  });
  double total = 0;
  for (std::int64_t i = 0; i * block < count; ++i) total += partial[static_cast<std::size_t>(i)];
  return total;
}

}  // namespace preamble::PREAMBLE_ISA
