#include "engine/backend/cuda/row_numbers.cuh"
#include "engine/ops/pick_rows.h"

namespace preamble::cuda {

template <class T>
void pick_rows(const Arguments& args) {
  copy_numbered_rows<false>("pick_rows", static_cast<const PickRows&>(args.op).rows, args.in[0], args.out[0], args.queue);
}

template void pick_rows<float>(const Arguments&);
template void pick_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
