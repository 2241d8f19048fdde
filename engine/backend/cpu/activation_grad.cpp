#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// dx[i] = mask[i] dy[i]
template <class T>
void mask_rows(const View& mask, const View& dy, T* dx) {
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, dy.width));
  parallel_for(dy.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      select_positive(mask.as<std::uint8_t>() + r * mask.width, dy.as<T>() + r * dy.width, dx + r * dy.width, dy.width);
    }
  });
}

}  // namespace

template <class T>
void activation_grad(const KernelArguments& args) {
  const auto kind = static_cast<const ActivationGrad&>(args.op).kind;
  const View& kept = args.in[ActivationGrad::kKept];
  const View& dy = args.in[ActivationGrad::kGradient];
  T* dx = args.out[0].as<T>();
  if (kind == ActivationKind::relu) return mask_rows(kept, dy, dx);
  parallel_for(dy.count(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
    activate_gradient_row(kind, kept.as<T>() + begin, dy.as<T>() + begin, dx + begin, end - begin);
  });
}

template void activation_grad<float>(const KernelArguments&);
template void activation_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
