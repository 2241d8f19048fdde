#include "engine/backend/cuda/column_sums.cuh"

namespace preamble::cuda {

template <class T>
void sum_rows(const Arguments& args) {
  const View& x = args.in[0];
  column_sums("sum_rows", x.as<const T>(), x.width, Matrix{x.layout, x.rows, x.width}, kRowParts, reinterpret_cast<float*>(args.scratch),
              args.out[0], false, args.queue);
}

template void sum_rows<float>(const Arguments&);
template void sum_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
