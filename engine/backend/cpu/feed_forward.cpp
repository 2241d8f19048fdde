#include "engine/ops/feed_forward.h"

#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/addends.h"
#include "engine/backend/cpu/feed_forward_chunks.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void feed_forward(const KernelArguments& args) {
  const auto& op = static_cast<const FeedForward&>(args.op);
  const View& x = args.in[FeedForward::kInput];
  const View& y = args.out[0];
  const FeedForwardChunks<T> chunks(args, op, x.rows, x.width, y.width);
  const T* bias = args.in[FeedForward::kFirstBias].as<const T>();
  const Addends<T> addends(args, FeedForward::kSecondBias, FeedForward::kResidual);
  const View* kept = args.out.size() > 1 && args.out[1] ? &args.out[1] : nullptr;
  const bool keeps_mask = kept != nullptr && kept->dtype == Dtype::u8;
  chunks.for_each([&](const Columns& columns, const WeightChunk<T>& up, const WeightChunk<T>& down) {
    const std::int64_t first = columns.first, count = columns.count;
    parallel_for(x.rows, cpu::panel_rows(x.rows), [&](std::int64_t begin, std::int64_t end) {
      const Block<T> h = chunks.values(begin);
      const Block<T> a = kept != nullptr && !keeps_mask ? Block<T>{kept->as<T>() + begin * chunks.width() + first, chunks.width()} : h;
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
  });
}

template void feed_forward<float>(const KernelArguments&);
template void feed_forward<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
