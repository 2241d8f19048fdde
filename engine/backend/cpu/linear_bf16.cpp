#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/bf16_product.h"
#include "engine/backend/cpu/linear_bf16_scratch.h"
#include "engine/ops/linear.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// What stands behind a sum: bias, residual, function, and what its gradient reads.
class Finish {
 public:
  /// `bias`: memory for the bias in float32.
  Finish(const KernelArguments& args, float* bias) : op_(static_cast<const Linear&>(args.op)), y_(args.out[0]), kept_(output(args, 1)) {
    const View b = operand(args, Linear::kBias);
    residual_ = operand(args, Linear::kResidual).as<const BFloat16>();
    if (!b) return;
    if (b.dtype == Dtype::bf16) {
      widen_row(b.as<const BFloat16>(), bias, b.width);
    } else {
      std::copy_n(b.as<const float>(), b.width, bias);
    }
    bias_ = bias;
  }

  /// For columns [column, column + count) of a row, whose sums are written over; columns begin at multiples of 8.
  void operator()(std::int64_t row, std::int64_t column, std::int64_t count, float* sums) const {
    const std::int64_t at = row * width() + column;
    if (bias_ != nullptr) add(bias_ + column, sums, count);
    if (residual_ != nullptr) add(residual_ + at, sums, count);
    const float* v = sums;
    if (kept_ && kept_.dtype == Dtype::u8) {
      pack_positive(v, kept_.as<std::uint8_t>() + row * kept_.width + column / 8, count);
    } else if (kept_) {
      round_row(v, kept_.as<BFloat16>() + at, count);
    }
    if (!y_) return;
    if (op_.activation) activate_row(*op_.activation, v, sums, count);
    round_row(v, y_.as<BFloat16>() + at, count);
  }

 private:
  [[nodiscard]] static View output(const KernelArguments& args, std::size_t i) { return i < args.out.size() ? args.out[i] : View{}; }
  [[nodiscard]] static View operand(const KernelArguments& args, std::size_t i) { return i < args.in.size() ? args.in[i] : View{}; }
  [[nodiscard]] std::int64_t width() const noexcept { return y_.width; }

  static void add(const float* x, float* y, std::int64_t n) noexcept {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
  }
  static void add(const BFloat16* x, float* y, std::int64_t n) noexcept {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] += widen(x[i]);
  }

  const Linear& op_;
  View y_, kept_;
  const float* bias_ = nullptr;
  const BFloat16* residual_ = nullptr;
};

}  // namespace

/// Products of bf16 numbers with sums in float32; bias, residual and function are applied to the sums. Few rows read the weight where it
/// lies.
template <class T>
void linear(const KernelArguments& args);

template <>
void linear<BFloat16>(const KernelArguments& args) {
  const View& x = args.in[Linear::kInput];
  const StoredMatrix w = stored(args.in[Linear::kWeight]);
  const bool out_in = static_cast<const Linear&>(args.op).layout == WeightLayout::out_in;
  const StoredRows b{w, 0, w.rows, out_in};
  const std::int64_t k = b.k(), n = b.n();
  auto* bias = reinterpret_cast<float*>(args.workspace);
  const Finish finish(args, bias);
  std::byte* scratch = args.workspace + cpu::linear_bf16_bias_bytes(n);
  if (x.rows > cpu::kFewRows) {
    bf16_product({.bf16 = x.as<const BFloat16>(), .stride = k}, x.rows, b, scratch, finish);
    return;
  }
  auto* wide = reinterpret_cast<float*>(scratch);
  float* sums = wide + x.rows * k;
  widen_row(x.as<const BFloat16>(), wide, x.rows * k);
  few_rows_product<float>(w, out_in, x.rows, {wide, k}, {sums, n}, false);
  constexpr std::int64_t kPart = 128;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t j = 0; j < n; j += kPart) finish(r, j, std::min(kPart, n - j), sums + r * n + j);
  }
}

}  // namespace preamble::PREAMBLE_ISA
