#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/products.h"

namespace preamble::cuda {

/// A product over all rows of the bound: those behind the true ones are made zero first.
template <class T>
void outer_sum(const Arguments& args) {
  const View& a = args.in[0];
  const View& b = args.in[1];
  const View& c = args.out[0];
  clear_tail("outer_sum", a, args.queue);
  if (b.data != a.data) clear_tail("outer_sum", b, args.queue);
  Product p;
  p.m = a.width, p.n = b.width, p.k = a.rows;
  p.a = a.data, p.a_type = a.dtype, p.lda = a.width, p.transpose_a = true;
  p.b = b.data, p.b_type = b.dtype, p.ldb = b.width;
  p.c = c.data, p.c_type = c.dtype, p.ldc = b.width;
  args.queue.products->run(p);
}

template void outer_sum<float>(const Arguments&);
template void outer_sum<Bf16>(const Arguments&);

}  // namespace preamble::cuda
