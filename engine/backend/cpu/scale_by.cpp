#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void scale_by(const KernelArguments& args) {
  const T factor = *args.in[1].as<T>();
  const T* x = args.in[0].as<T>();
  T* y = args.out[0].as<T>();
  parallel_for(args.out[0].count(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = factor * x[i];
  });
}

template void scale_by<float>(const KernelArguments&);
template void scale_by<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
