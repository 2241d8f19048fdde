#include "engine/ops/feed_forward.h"

#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/addends.h"
#include "engine/backend/cpu/weight_chunk.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void feed_forward(const KernelArguments& args) {
  const auto& op = static_cast<const FeedForward&>(args.op);
  const View& x = args.in[FeedForward::kInput];
  const View& w1 = args.in[FeedForward::kFirstWeight];
  const View& w2 = args.in[FeedForward::kSecondWeight];
  const View& y = args.out[0];
  const bool wide_rows1 = op.first == WeightLayout::out_in;
  const bool wide_rows2 = op.second == WeightLayout::in_out;
  const std::int64_t width = (*w1.dims)[wide_rows1 ? 0 : 1];
  const T* bias = args.in[FeedForward::kFirstBias].as<const T>();
  const Addends<T> addends(args, FeedForward::kSecondBias, FeedForward::kResidual);
  const View* kept = args.out.size() > 1 && args.out[1] ? &args.out[1] : nullptr;
  const bool keeps_mask = kept != nullptr && kept->dtype == Dtype::u8;
  const auto sizes = FeedForwardScratch::of(x.rows, x.width, width, y.width, w1.dtype != dtype_v<T>, w2.dtype != dtype_v<T>);
  T* weights = reinterpret_cast<T*>(args.workspace);
  T* values = weights + sizes.first_weight + sizes.second_weight;
  for (std::int64_t first = 0; first < width; first += sizes.columns) {
    const std::int64_t count = std::min(sizes.columns, width - first);
    const WeightChunk<T> up(w1, wide_rows1, first, count, weights);
    const WeightChunk<T> down(w2, wide_rows2, first, count, weights + sizes.first_weight);
    parallel_for(x.rows, cpu::panel_rows(x.rows), [&](std::int64_t begin, std::int64_t end) {
      const Block<T> h{values + begin * sizes.columns, sizes.columns};
      const Block<T> a = kept != nullptr && !keeps_mask ? Block<T>{kept->as<T>() + begin * width + first, width} : h;
      for (std::int64_t r = 0; bias != nullptr && r < end - begin; ++r) std::copy_n(bias + first, count, a.data + r * a.stride);
      up.widen(end - begin, {x.as<const T>() + begin * x.width, x.width}, a, bias != nullptr);
      for (std::int64_t r = 0; r < end - begin; ++r) {
        const T* sum = a.data + r * a.stride;
        if (keeps_mask) pack_positive(sum, kept->as<std::uint8_t>() + (begin + r) * kept->width + first / 8, count);
        activate_row(op.activation, sum, h.data + r * h.stride, count);
      }
      if (first == 0 && addends) addends.fill(y.as<T>(), y.width, begin, end);
      down.narrow(end - begin, {h.data, h.stride}, {y.as<T>() + begin * y.width, y.width}, first > 0 || addends);
    });
  }
}

template void feed_forward<float>(const KernelArguments&);
template void feed_forward<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
