#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void sum_rows(const KernelArguments& args) {
  const View& x = args.in[0];
  T* sum = args.out[0].as<T>();
  parallel_for(x.width, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum[i] = 0;
    for (std::int64_t r = 0; r < x.rows; ++r) {
      const T* row = x.as<T>() + r * x.width;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) sum[i] += row[i];
    }
  });
}

template void sum_rows<float>(const KernelArguments&);
template void sum_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
