#include "engine/backend/cuda/row_numbers.cuh"
#include "engine/backend/cuda/stored_rows.h"
#include "engine/ops/pick_rows.h"

namespace preamble::cuda {

template <class T>
void pick_rows(const Arguments& args) {
  const auto& rows = static_cast<const PickRows&>(args.op).rows;
  if (is_encoded(args.in[0].dtype)) return pick_encoded_rows("pick_rows", args.in[0], rows, args.out[0], args.queue);
  copy_numbered_rows<false>("pick_rows", rows, args.in[0], args.out[0], args.queue);
}

template void pick_rows<float>(const Arguments&);
template void pick_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
