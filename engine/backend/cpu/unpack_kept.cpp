#include <cstring>

#include "engine/core/dtype.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/pack_kept.h"

namespace preamble::PREAMBLE_ISA {
namespace {

constexpr std::int64_t kRows = 16;

template <class T>
void unpack_bytes(const std::byte* from, T* y, std::int64_t n) noexcept {
  float scale = 0;
  std::memcpy(&scale, from, sizeof(scale));
  const auto* bytes = reinterpret_cast<const signed char*>(from + sizeof(scale));
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(scale * static_cast<float>(bytes[i]));
}

template <class T>
void unpack_halves(const std::byte* from, T* y, std::int64_t n) noexcept {
  const auto* halves = reinterpret_cast<const std::uint16_t*>(from);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<T>(__builtin_bit_cast(float, static_cast<std::uint32_t>(halves[i]) << 16U));
  }
}

}  // namespace

template <class T>
void unpack_kept(const KernelArguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  const KeptForm form = static_cast<const UnpackKept&>(args.op).form;
  parallel_for(y.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::byte* from = x.as<const std::byte>() + row * x.width;
      T* to = y.as<T>() + row * y.width;
      form == KeptForm::bf16 ? unpack_halves(from, to, y.width) : unpack_bytes(from, to, y.width);
    }
  });
}

template void unpack_kept<float>(const KernelArguments&);
template void unpack_kept<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
