#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/elementwise.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void scale(const KernelArguments& args) {
  const T factor = static_cast<T>(static_cast<const Scale&>(args.op).factor);
  const T* x = args.in[0].as<T>();
  T* y = args.out[0].as<T>();
  parallel_for(args.out[0].count(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = factor * x[i];
  });
}

template void scale<float>(const KernelArguments&);
template void scale<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
