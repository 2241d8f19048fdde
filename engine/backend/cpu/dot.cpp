#include "engine/backend/cpu/math.h"
#include "engine/backend/cpu/partial_sums.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/elementwise.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void dot(const KernelArguments& args) {
  const T* x = args.in[0].as<T>();
  const T* y = args.in[1].as<T>();
  const std::int64_t count = args.in[0].count();
  double* parts = reinterpret_cast<double*>(args.workspace);
  parallel_for(count, kDotBlock,
               [&](std::int64_t begin, std::int64_t end) { parts[begin / kDotBlock] = dot_of(x + begin, y + begin, end - begin); });
  double sum = 0;
  for (std::int64_t block = 0; block * kDotBlock < count; ++block) sum += parts[block];
  *args.out[0].as<T>() = static_cast<T>(sum);
}

template void dot<float>(const KernelArguments&);
template void dot<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
