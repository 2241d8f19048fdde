#include "engine/ops/head_linear.h"

#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/row_parts.h"
#include "engine/backend/cpu/stored_part.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void head_linear(const KernelArguments& args) {
  const auto& op = static_cast<const HeadLinear&>(args.op);
  const View& x = args.in[HeadLinear::kInput];
  const StoredMatrix w = stored(args.in[HeadLinear::kWeight]);
  const View& y = args.out[0];
  const bool expand = op.direction == HeadLinear::Direction::expand;
  const std::int64_t in = x.width / op.heads;
  const std::int64_t out = y.width / op.heads;
  const std::int64_t rows = w.rows / op.heads;
  parallel_for(op.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      const auto weight = read_here(w, {h * rows, rows, 0, w.columns}, reinterpret_cast<T*>(args.workspace) + h * in * out);
      cpu::Gemm<T> p;
      p.n = out, p.k = in, p.lda = x.width;
      // W_h is [d, D]: expand multiplies rows [d] by it, reduce rows [D] by its transpose
      p.b = weight.data, p.ldb = weight.stride, p.transpose_b = !expand;
      p.ldc = y.width;
      for_parts(args, x, [&](std::int64_t first, std::int64_t last) {
        p.m = last - first;
        p.a = x.as<const T>() + first * x.width + h * in;
        p.c = y.as<T>() + first * y.width + h * out;
        cpu::gemm(p);
      });
    }
  });
}

template void head_linear<float>(const KernelArguments&);
template void head_linear<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
