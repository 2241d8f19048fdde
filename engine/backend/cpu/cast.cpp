#include "engine/ops/cast.h"

#include <cstring>

#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// By the types of operand and result, whatever T is.
template <class T>
void cast(const KernelArguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  parallel_for(x.count(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t count = end - begin;
    if (x.dtype == y.dtype) {
      const auto size = static_cast<std::size_t>(x.dtype == Dtype::bf16 ? 2 : x.dtype == Dtype::f64 ? 8 : 4);
      std::memcpy(y.as<std::byte>() + static_cast<std::size_t>(begin) * size, x.as<std::byte>() + static_cast<std::size_t>(begin) * size,
                  static_cast<std::size_t>(count) * size);
    } else if (y.dtype == Dtype::bf16) {
      round_row(x.as<const float>() + begin, y.as<BFloat16>() + begin, count);
    } else {
      widen_row(x.as<const BFloat16>() + begin, y.as<float>() + begin, count);
    }
  });
}

template void cast<float>(const KernelArguments&);
template void cast<double>(const KernelArguments&);
template void cast<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
