#include "engine/ops/dropout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/backend/cpu/philox.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

template <class T>
struct Mask {
  std::uint32_t key[2];
  std::uint32_t stream;
  std::uint32_t threshold;  ///< words below are dropped
  T scale;

  /// Column c of `width` has word c / ceil(width / 4) of counter c mod ceil(width / 4): neighbours come from neighbouring counters.
  void apply(std::uint32_t segment, std::uint32_t position, const T* x, T* y, std::int64_t width) const noexcept {
    constexpr std::int64_t kCounters = 64;
    const std::int64_t quarter = (width + 3) / 4;
    for (std::int64_t first = 0; first < quarter; first += kCounters) {
      const std::int64_t count = std::min(kCounters, quarter - first);
      std::uint32_t words[4][kCounters];
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) {
        const PhiloxWords w = philox_words({{static_cast<std::uint32_t>(first + i), position, segment, stream}}, key[0], key[1]);
        words[0][i] = w.word[0];
        words[1][i] = w.word[1];
        words[2][i] = w.word[2];
        words[3][i] = w.word[3];
      }
      for (std::int64_t part = 0; part < 4; ++part) {
        const std::int64_t begin = part * quarter + first;
        const std::int64_t columns = std::min(count, width - begin);
#pragma omp simd
        for (std::int64_t i = 0; i < columns; ++i) y[begin + i] = words[part][i] < threshold ? T(0) : scale * x[begin + i];
      }
    }
  }
};

}  // namespace

template <class T>
void dropout(const KernelArguments& args) {
  const auto& op = static_cast<const Dropout&>(args.op);
  const View& x = args.in[Dropout::kInput];
  const View& y = args.out[0];
  const auto* key = args.in[Dropout::kKey].as<const std::int32_t>();
  const Mask<T> mask{{static_cast<std::uint32_t>(key[0]), static_cast<std::uint32_t>(key[1])},
                     op.stream,
                     static_cast<std::uint32_t>(op.rate * 0x1.0p32),
                     static_cast<T>(1 / (1 - op.rate))};
  const RowLayout& layout = *x.layout;
  constexpr std::int64_t kRows = 16;
  parallel_for(x.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    const std::int32_t* after = std::upper_bound(layout.offsets, layout.offsets + layout.segments + 1, static_cast<std::int32_t>(begin));
    auto segment = static_cast<std::int32_t>(after - layout.offsets) - 1;
    for (std::int64_t r = begin; r < end; ++r) {
      while (layout.offsets[segment + 1] <= r) ++segment;
      const std::int32_t position = layout.position(segment, static_cast<std::int32_t>(r));
      mask.apply(static_cast<std::uint32_t>(segment), static_cast<std::uint32_t>(position), x.as<const T>() + r * x.width,
                 y.as<T>() + r * y.width, x.width);
    }
  });
}

template void dropout<float>(const KernelArguments&);
template void dropout<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
