#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/gated.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void gated_grad(const KernelArguments& args) {
  const T* a = args.in[0].as<T>();
  const T* b = args.in[1].as<T>();
  const T* dy = args.in[2].as<T>();
  T* da = args.out[0].as<T>();
  T* db = args.out[1].as<T>();
  with_kind(static_cast<const GatedGrad&>(args.op).kind, [&]<ActivationKind kind>() {
    parallel_for(args.in[0].count(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      if (db == nullptr) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) da[i] = narrowed<T>(activate_slope<kind>(widen(a[i])) * widen(b[i]) * widen(dy[i]));
      } else if (da == nullptr) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) db[i] = narrowed<T>(activate<kind>(widen(a[i])) * widen(dy[i]));
      } else {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) {
          const Computed<T> x = widen(a[i]), gate = widen(b[i]), d = widen(dy[i]);
          da[i] = narrowed<T>(activate_slope<kind>(x) * gate * d);
          db[i] = narrowed<T>(activate<kind>(x) * d);
        }
      }
    });
  });
}

template void gated_grad<float>(const KernelArguments&);
template void gated_grad<double>(const KernelArguments&);
template void gated_grad<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
