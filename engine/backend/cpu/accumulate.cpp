#include "engine/ops/accumulate.h"

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

template <class Sum, class Value>
void accumulate_as(const KernelArguments& args) {
  const View& value = args.in[Accumulate::kValue];
  const bool first = *args.in[Accumulate::kFirst].as<const std::int32_t>() != 0;
  const Value* x = value.as<const Value>();
  Sum* sum = args.out[0].as<Sum>();
  parallel_for(value.count(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    if (first) {
      // 0 + x, so that a sum never begins with a negative zero
      for (std::int64_t i = begin; i < end; ++i) sum[i] = Sum{0} + x[i];
    } else {
      for (std::int64_t i = begin; i < end; ++i) sum[i] += x[i];
    }
  });
}

}  // namespace

template <class T>
void accumulate(const KernelArguments& args) {
  const bool wide = args.out[0].dtype == Dtype::f64;
  if (args.in[Accumulate::kValue].dtype == Dtype::f64) {
    accumulate_as<double, double>(args);
  } else if (wide) {
    accumulate_as<double, float>(args);
  } else {
    accumulate_as<float, float>(args);
  }
}

template void accumulate<float>(const KernelArguments&);
template void accumulate<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
