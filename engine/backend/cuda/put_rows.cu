#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/row_numbers.cuh"
#include "engine/ops/pick_rows.h"

namespace preamble::cuda {

template <class T>
void put_rows(const Arguments& args) {
  clear("put_rows", args.out[0], 0, args.out[0].width, args.queue);
  copy_numbered_rows<true>("put_rows", static_cast<const PutRows&>(args.op).rows, args.out[0], args.in[0], args.queue);
}

template void put_rows<float>(const Arguments&);
template void put_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
