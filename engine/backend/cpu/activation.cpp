#include "engine/ops/activation.h"

#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void activation(const KernelArguments& args) {
  const auto kind = static_cast<const Activation&>(args.op).kind;
  const View& x = args.in[0];
  T* y = args.out[0].as<T>();
  if (args.out.size() < 2 || !args.out[1]) {
    parallel_for(x.count(), 1 << 13,
                 [&](std::int64_t begin, std::int64_t end) { activate_row(kind, x.as<T>() + begin, y + begin, end - begin); });
    return;
  }
  const std::int64_t mask_width = args.out[1].width;
  std::uint8_t* mask = args.out[1].as<std::uint8_t>();
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, x.width));
  parallel_for(x.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* row = x.as<T>() + r * x.width;
      pack_positive(row, mask + r * mask_width, x.width);
      if (y != nullptr) activate_row(kind, row, y + r * x.width, x.width);
    }
  });
}

template void activation<float>(const KernelArguments&);
template void activation<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
