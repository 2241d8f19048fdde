#include <cfloat>

#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/ops/pack_kept.h"

namespace preamble::cuda {
namespace {

/// A scale and whole numbers of each row; a row with an infinity or a NaN gets NaN as its scale. A warp owns a row, and reads it twice.
__global__ void __launch_bounds__(kThreads) pack_bytes_kernel(Reals x, std::uint8_t* packed, std::int64_t packed_width, Matrix size) {
  constexpr float kLargest = 127;
  const std::int64_t row = thread_index() / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= size.rows()) return;
  const std::int64_t begin = row * size.columns;
  float largest = 0;
  bool finite = true;
  for (std::int64_t i = lane; i < size.columns; i += kWarp) {
    const float magnitude = fabsf(x[begin + i]);
    finite = finite && magnitude <= FLT_MAX;
    largest = fmaxf(largest, magnitude);
  }
  largest = warp_max(largest);
  finite = __all_sync(~0U, finite) != 0;
  const float scale = finite ? largest / kLargest : NAN;
  std::uint8_t* to = packed + row * packed_width;
  // rows begin anywhere
  if (lane < 4) to[lane] = static_cast<std::uint8_t>(__float_as_uint(scale) >> (8 * lane));
  const float inverse = finite && scale > 0 ? 1 / scale : 0.0F;
  for (std::int64_t i = lane; i < size.columns; i += kWarp) {
    // the reciprocal of a tiny scale may be infinite, and a product may round beyond the largest number
    const float q = fminf(fmaxf(rintf(x[begin + i] * inverse), -kLargest), kLargest);
    to[4 + i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(q));
  }
}

}  // namespace

template <class T>
void pack_kept(const Arguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  const Matrix size{x.layout, x.rows, x.width};
  if (static_cast<const PackKept&>(args.op).form == KeptForm::bf16) {
    View halves = y;
    halves.dtype = Dtype::bf16;
    return copy_rows("pack_kept", {Reals(x), 0, x.width}, {Reals(halves), 0, x.width}, size, args.queue);
  }
  launch_each("pack_kept", pack_bytes_kernel, size.bound * kWarp, args.queue, Reals(x), y.as<std::uint8_t>(), y.width, size);
}

template void pack_kept<float>(const Arguments&);
template void pack_kept<Bf16>(const Arguments&);

}  // namespace preamble::cuda
