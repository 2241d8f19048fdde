#include "engine/backend/cuda/products.h"
#include "engine/ops/linear_slope.h"

namespace preamble::cuda {

/// The gradient of gelu_tanh is the product's own epilogue. `fuse_slopes` makes no other than bf16 programs use it.
template <class T>
void linear_slope(const Arguments& args) {
  const auto& op = static_cast<const LinearSlope&>(args.op);
  const View& dy = args.in[LinearSlope::kInput];
  const View& w = args.in[LinearSlope::kWeight];
  const View& dx = args.out[0];
  Product p;
  p.m = dy.rows, p.n = dx.width, p.k = dy.width;
  p.a_type = p.b_type = p.c_type = Dtype::bf16;
  p.a = dy.data, p.lda = p.k;
  p.transpose_b = op.layout == WeightLayout::out_in;
  p.b = w.data, p.ldb = p.transpose_b ? p.k : p.n;
  p.c = dx.data, p.ldc = p.n;
  p.slope_of = args.in[LinearSlope::kKept].data;
  args.queue.products->run(p);
}

template void linear_slope<float>(const Arguments&);
template void linear_slope<Bf16>(const Arguments&);

}  // namespace preamble::cuda
