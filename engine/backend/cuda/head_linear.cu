#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/stored_rows.h"
#include "engine/ops/head_linear.h"

namespace preamble::cuda {

/// One product a head, side by side.
template <class T>
void head_linear(const Arguments& args) {
  const auto& op = static_cast<const HeadLinear&>(args.op);
  const View& x = args.in[HeadLinear::kInput];
  const View& w = args.in[HeadLinear::kWeight];
  const View& y = args.out[0];
  const bool expand = op.direction == HeadLinear::Direction::expand;
  const std::int64_t in = x.width / op.heads, out = y.width / op.heads;
  View weight = w;
  if (w.dtype != real_dtype<T>) {
    weight.data = args.scratch;
    weight.dtype = real_dtype<T>;
    convert_matrix("head_linear", w, weight, args.queue);
  }
  Product p;
  p.m = x.rows, p.n = out, p.k = in;
  p.a_type = p.b_type = p.c_type = real_dtype<T>;
  p.a = x.data, p.lda = x.width, p.stride_a = in;
  // W_h is [d, D]: expand multiplies rows [d] by it, reduce rows [D] by its transpose
  p.b = weight.data, p.ldb = expand ? out : in, p.transpose_b = !expand, p.stride_b = in * out;
  p.c = y.data, p.ldc = y.width, p.stride_c = out;
  p.batch = op.heads;
  args.queue.products->run(p);
}

template void head_linear<float>(const Arguments&);
template void head_linear<Bf16>(const Arguments&);

}  // namespace preamble::cuda
