#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/ops/pack_kept.h"

namespace preamble::cuda {
namespace {

/// y[r, i] = s q[i]. A thread owns eight columns of a row.
__global__ void __launch_bounds__(kThreads) unpack_bytes_kernel(const std::uint8_t* packed, std::int64_t packed_width, Reals y, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::uint8_t* from = packed + row * packed_width;
  // rows begin anywhere
  std::uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) bits |= static_cast<std::uint32_t>(from[i]) << (8 * i);
  const float scale = __uint_as_float(bits);
  float v[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) v[i] = i < left ? scale * static_cast<float>(static_cast<std::int8_t>(from[4 + column + i])) : 0.0F;
  store(y, row * size.columns + column, left, v);
}

}  // namespace

template <class T>
void unpack_kept(const Arguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  const Matrix size{y.layout, y.rows, y.width};
  if (static_cast<const UnpackKept&>(args.op).form == KeptForm::bf16) {
    View halves = x;
    halves.dtype = Dtype::bf16;
    return copy_rows("unpack_kept", {Reals(halves), 0, y.width}, {Reals(y), 0, y.width}, size, args.queue);
  }
  launch_each("unpack_kept", unpack_bytes_kernel, size.bound * octets_of(size.columns), args.queue, x.as<const std::uint8_t>(), x.width,
              Reals(y), size);
}

template void unpack_kept<float>(const Arguments&);
template void unpack_kept<Bf16>(const Arguments&);

}  // namespace preamble::cuda
