#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/philox.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/dropout.h"

namespace preamble::cuda {
namespace {

struct Mask {
  const std::int32_t* key;  ///< [2]
  std::uint32_t stream;
  std::uint32_t threshold;  ///< words below are dropped
  float scale;
};

/// Column c of a row has word c / q of counter c mod q, q = ceil(columns / 4). A thread owns eight neighbouring counters of a row, thus
/// eight neighbouring columns of each quarter: no word is made twice, x is read once, and y may be x.
template <class T>
__global__ void __launch_bounds__(kThreads) dropout_kernel(Mask mask, const T* x, T* y, Matrix size) {
  const std::int64_t quarter = (size.columns + 3) / 4;
  const auto [row, first, in_part] = OctetIndex(quarter);
  if (row >= size.rows()) return;
  const auto position = static_cast<std::uint32_t>(size.layout->positions[row]);
  const auto segment = static_cast<std::uint32_t>(size.layout->segment_of_row[row]);
  const uint2 key = make_uint2(static_cast<std::uint32_t>(mask.key[0]), static_cast<std::uint32_t>(mask.key[1]));
  std::uint32_t kept = 0;  // bit 8 w + i: word w of counter i
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const uint4 words = philox(make_uint4(static_cast<std::uint32_t>(first + i), position, segment, mask.stream), key);
    kept |= (words.x >= mask.threshold ? 1U : 0U) << i | (words.y >= mask.threshold ? 1U : 0U) << (8 + i) |
            (words.z >= mask.threshold ? 1U : 0U) << (16 + i) | (words.w >= mask.threshold ? 1U : 0U) << (24 + i);
  }
#pragma unroll
  for (int part = 0; part < 4; ++part) {
    const std::int64_t begin = part * quarter + first;
    const std::int64_t in_row = size.columns - begin;
    const std::int64_t left = in_part < in_row ? in_part : in_row;
    if (left <= 0) continue;
    float v[kOctet];
    load(x + row * size.columns + begin, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) v[i] = (kept >> (8 * part + i) & 1U) != 0 ? v[i] * mask.scale : 0.0F;
    store(y + row * size.columns + begin, left, v);
  }
}

}  // namespace

template <class T>
void dropout(const Arguments& args) {
  const auto& op = static_cast<const Dropout&>(args.op);
  const View& x = args.in[Dropout::kInput];
  const Mask mask{args.in[Dropout::kKey].as<const std::int32_t>(), op.stream, static_cast<std::uint32_t>(op.rate * 0x1.0p32),
                  static_cast<float>(1 / (1 - op.rate))};
  const Matrix size{x.layout, x.rows, x.width};
  launch_each("dropout", dropout_kernel<T>, size.bound * octets_of(ceil_div(size.columns, 4)), args.queue, mask, x.as<const T>(),
              args.out[0].as<T>(), size);
}

template void dropout<float>(const Arguments&);
template void dropout<Bf16>(const Arguments&);

}  // namespace preamble::cuda
