#include "engine/backend/cuda/column_parts.cuh"

namespace preamble::cuda {

template <class T>
void concat_columns(const Arguments& args) {
  move_all_columns<true>(
      "concat_columns", args.in.size(), [&](std::size_t i) { return args.in[i]; },
      [&](std::size_t i) { return matrix_of(args.in[i]).columns; }, args.out[0], args.queue);
}

template void concat_columns<float>(const Arguments&);
template void concat_columns<Bf16>(const Arguments&);

}  // namespace preamble::cuda
