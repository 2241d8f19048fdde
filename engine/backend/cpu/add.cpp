#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void add(const KernelArguments& args) {
  const T* a = args.in[0].as<T>();
  const T* b = args.in[1].as<T>();
  T* y = args.out[0].as<T>();
  parallel_for(args.out[0].count(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = narrowed<T>(widen(a[i]) + widen(b[i]));
  });
}

template void add<float>(const KernelArguments&);
template void add<double>(const KernelArguments&);
template void add<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
