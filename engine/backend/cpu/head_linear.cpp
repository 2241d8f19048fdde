#include "engine/ops/head_linear.h"

#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/math.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void head_linear(const KernelArguments& args) {
  const auto& op = static_cast<const HeadLinear&>(args.op);
  const View& x = args.in[HeadLinear::kInput];
  const View& w = args.in[HeadLinear::kWeight];
  const View& y = args.out[0];
  const bool expand = op.direction == HeadLinear::Direction::expand;
  const std::int64_t in = x.width / op.heads;
  const std::int64_t out = y.width / op.heads;
  const bool stored = w.dtype == dtype_v<T>;
  parallel_for(op.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      const T* weight = stored ? w.as<const T>() + h * in * out : reinterpret_cast<const T*>(args.workspace) + h * in * out;
      if (!stored) widen_row(w.as<const BFloat16>() + h * in * out, reinterpret_cast<T*>(args.workspace) + h * in * out, in * out);
      cpu::Gemm<T> p;
      p.m = x.rows, p.n = out, p.k = in;
      p.a = x.as<const T>() + h * in, p.lda = x.width;
      // W_h is [d, D]: expand multiplies rows [d] by it, reduce rows [D] by its transpose
      p.b = weight, p.ldb = expand ? out : in, p.transpose_b = !expand;
      p.c = y.as<T>() + h * out, p.ldc = y.width;
      cpu::gemm(p);
    }
  });
}

template void head_linear<float>(const KernelArguments&);
template void head_linear<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
