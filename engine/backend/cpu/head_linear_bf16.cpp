#include "engine/backend/cpu/bf16_product.h"
#include "engine/ops/head_linear.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void head_linear(const KernelArguments& args);

/// Products of bf16 numbers with sums in float32: a task packs the matrix of a head and multiplies all rows by it.
template <>
void head_linear<BFloat16>(const KernelArguments& args) {
  const auto& op = static_cast<const HeadLinear&>(args.op);
  const View& x = args.in[HeadLinear::kInput];
  const StoredMatrix w = stored(args.in[HeadLinear::kWeight]);
  const View& y = args.out[0];
  const std::int64_t in = x.width / op.heads, out = y.width / op.heads, rows = w.rows / op.heads;
  parallel_for(op.heads, 1, [&](std::int64_t h, std::int64_t) {
    auto* packed = reinterpret_cast<BFloat16*>(args.workspace) + h * in * out;
    pack_part({w, h * rows, rows, op.direction == HeadLinear::Direction::reduce}, 0, out, in, 0, out, packed);
    BFloat16* to = y.as<BFloat16>() + h * out;
    multiply_packed({x.as<const BFloat16>() + h * in, x.width}, 0, x.rows, packed, in, out,
                    [&](std::int64_t row, std::int64_t column, std::int64_t count, float* sums) { round_row(sums, to + row * y.width + column, count); });
  });
}

}  // namespace preamble::PREAMBLE_ISA
