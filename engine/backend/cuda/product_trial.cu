#include "engine/backend/cuda/product_trial.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/equal_bits.h"

namespace preamble::cuda {
namespace {

constexpr std::int64_t kAlignment = 256;

constexpr std::int64_t rounded(std::int64_t bytes) noexcept { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Bytes of a matrix of so many rows, or of several.
std::int64_t bytes_of(Dtype type, std::int64_t rows, std::int64_t leading, std::int64_t batch, std::int64_t apart) {
  return ((batch - 1) * apart + rows * leading) * static_cast<std::int64_t>(size_of(type));
}

/// Numbers of either type between -2 and 2 of many magnitudes, whose period fits no size of a matrix.
const std::vector<std::uint16_t>& made_up_numbers() {
  static const std::vector<std::uint16_t> numbers = [] {
    std::vector<std::uint16_t> made(500'002);
    std::uint64_t state = 1;
    for (auto& x : made) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const auto bits = static_cast<std::uint16_t>(state >> 48U);
      // sign and mantissa at random, exponents of 2^-7 to 2^0: as float32, two of them are a number of the same size
      x = static_cast<std::uint16_t>((bits & 0x807FU) | ((120U + (bits >> 7U & 7U)) << 7U));
    }
    return made;
  }();
  return numbers;
}

void fill(std::byte* to, std::int64_t bytes, cudaStream_t stream) {
  const auto& numbers = made_up_numbers();
  const auto period = static_cast<std::int64_t>(numbers.size() * sizeof numbers[0]);
  std::int64_t filled = std::min(bytes, period);
  check(cudaMemcpyAsync(to, numbers.data(), static_cast<std::size_t>(filled), cudaMemcpyHostToDevice, stream), "trial of a product");
  for (; filled < bytes; filled *= 2) {
    const std::int64_t count = std::min(filled, bytes - filled);
    check(cudaMemcpyAsync(to + filled, to, static_cast<std::size_t>(count), cudaMemcpyDeviceToDevice, stream), "trial of a product");
  }
}

}  // namespace

ProductTrial::ProductTrial(const Product& p, cudaStream_t stream) : stream_(stream), product_(p) {
  const std::int64_t a = bytes_of(p.a_type, p.transpose_a ? p.k : p.m, p.lda, p.batch, p.stride_a);
  const std::int64_t b = bytes_of(p.b_type, p.transpose_b ? p.n : p.k, p.ldb, p.batch, p.stride_b);
  result_bytes_ = rounded(bytes_of(p.c_type, p.m, p.ldc, p.batch, p.stride_c));
  const bool keeps = p.kept != nullptr;
  const std::int64_t addend = p.beta != 0 ? result_bytes_ : 0;
  const std::int64_t slopes = p.slope_of != nullptr ? result_bytes_ : 0;
  const std::int64_t all = rounded(a) + rounded(b) + addend + slopes + (keeps ? 4 : 2) * result_bytes_ + kAlignment;
  try {
    memory_ = DeviceMemory("trial of a product", static_cast<std::size_t>(all));
  } catch (const DeviceError&) {
    return;  // the plan has taken what there is: no trial
  }
  std::byte* next = memory_.data();
  const auto take = [&](std::int64_t bytes) { return std::exchange(next, next + bytes); };
  product_.a = take(rounded(a)), product_.b = take(rounded(b));
  if (p.beta != 0) product_.addend = take(addend);
  if (p.slope_of != nullptr) product_.slope_of = take(slopes);
  fill(memory_.data(), next - memory_.data(), stream_);
  std::byte* const made = next;
  for (auto& result : results_) result = take(result_bytes_);
  if (keeps) {
    for (auto& kept : kept_) kept = take(result_bytes_);
  }
  // what lies between rows is equal, too
  check(cudaMemsetAsync(made, 0, static_cast<std::size_t>(next - made), stream_), "trial of a product");
  differences_ = reinterpret_cast<std::uint32_t*>(next);
}

const Product& ProductTrial::with_result(int i) noexcept {
  product_.c = results_[i];
  if (product_.kept != nullptr) product_.kept = kept_[i];
  return product_;
}

bool ProductTrial::results_are_equal() const {
  return are_equal(results_[0], results_[1], result_bytes_, differences_, stream_) &&
         (product_.kept == nullptr || are_equal(kept_[0], kept_[1], result_bytes_, differences_, stream_));
}

}  // namespace preamble::cuda
