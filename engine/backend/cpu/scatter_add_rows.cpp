#include <algorithm>
#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/gather_rows.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void scatter_add_rows(const KernelArguments& args) {
  const auto& op = static_cast<const ScatterAddRows&>(args.op);
  const View& dy = args.in[ScatterAddRows::kGradient];
  const std::int32_t* index = args.in[ScatterAddRows::kIndex].as<std::int32_t>();
  T* out = args.out[0].as<T>();
  const std::int64_t width = dy.width;
  parallel_for(args.out[0].count(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    std::memset(out + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(T));
  });
  // a block of columns is one task's alone, so rows are added in order whatever the number of threads
  parallel_for(width, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < dy.rows; ++r) {
      const std::int64_t target = op.side == Side::nonnegative ? index[r] : -1 - static_cast<std::int64_t>(index[r]);
      if (target < 0 || target == op.skip) continue;
      const T* from = dy.as<T>() + r * width;
      T* to = out + target * width;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
    }
  });
}

template void scatter_add_rows<float>(const KernelArguments&);
template void scatter_add_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
