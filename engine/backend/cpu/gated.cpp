#include "engine/ops/gated.h"

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void gated(const KernelArguments& args) {
  const T* a = args.in[0].as<T>();
  const T* b = args.in[1].as<T>();
  T* y = args.out[0].as<T>();
  with_kind(static_cast<const Gated&>(args.op).kind, [&]<ActivationKind kind>() {
    parallel_for(args.out[0].count(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) y[i] = narrowed<T>(activate<kind>(widen(a[i])) * widen(b[i]));
    });
  });
}

template void gated<float>(const KernelArguments&);
template void gated<double>(const KernelArguments&);
template void gated<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
