#include "engine/ops/feed_forward.h"

#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/addends.h"
#include "engine/backend/cpu/feed_forward_chunks.h"
#include "engine/backend/cpu/few_rows.h"
#include "engine/backend/cpu/row_parts.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// h [count] of a row = f(sum), and what the gradient reads besides the sum: the mask of relu from column `first` on.
template <class T>
void finish(ActivationKind kind, const T* sum, T* h, const View* mask, std::int64_t row, std::int64_t first, std::int64_t count) {
  if (mask != nullptr) pack_positive(sum, mask->as<std::uint8_t>() + row * mask->width + first / 8, count);
  activate_row(kind, sum, h, count);
}

/// Rows [begin, end). Both weights are read where they lie; the wide value exists as a whole.
template <class T>
void few_rows(const KernelArguments& args, const FeedForward& op, const View* kept, const View* mask, std::int64_t begin, std::int64_t end) {
  const View& x = args.in[FeedForward::kInput];
  const View& y = args.out[0];
  const StoredMatrix up = stored(args.in[FeedForward::kFirstWeight]), down = stored(args.in[FeedForward::kSecondWeight]);
  const bool up_out_in = op.first == WeightLayout::out_in, down_out_in = op.second == WeightLayout::out_in;
  const std::int64_t width = up_out_in ? up.rows : up.columns;
  const T* bias = args.in[FeedForward::kFirstBias].as<const T>();
  T* h = reinterpret_cast<T*>(args.workspace);
  T* sum = kept != nullptr ? kept->as<T>() + begin * width : h;
  const std::int64_t rows = end - begin;
  for (std::int64_t r = 0; bias != nullptr && r < rows; ++r) std::copy_n(bias, width, sum + r * width);
  few_rows_product<T>(up, up_out_in, rows, {x.as<const T>() + begin * x.width, x.width}, {sum, width}, bias != nullptr);
  for (std::int64_t r = 0; r < rows; ++r) finish(op.activation, sum + r * width, h + r * width, mask, begin + r, 0, width);
  const Addends<T> addends(args, FeedForward::kSecondBias, FeedForward::kResidual);
  if (addends) addends.fill(y.as<T>(), y.width, begin, end);
  few_rows_product<T>(down, down_out_in, rows, {h, width}, {y.as<T>() + begin * y.width, y.width}, bool(addends));
}

}  // namespace

template <class T>
void feed_forward(const KernelArguments& args) {
  const auto& op = static_cast<const FeedForward&>(args.op);
  const View& x = args.in[FeedForward::kInput];
  const View& y = args.out[0];
  const View* kept = args.out.size() > 1 && args.out[1] ? &args.out[1] : nullptr;
  const bool keeps_mask = kept != nullptr && kept->dtype == Dtype::u8;
  const View* mask = keeps_mask ? kept : nullptr;
  const FeedForwardChunks<T> chunks(args, op, x.rows, x.width, y.width);
  const T* bias = args.in[FeedForward::kFirstBias].as<const T>();
  const Addends<T> addends(args, FeedForward::kSecondBias, FeedForward::kResidual);
  // `for_rows`: calls its argument with the ends of panels of rows, in parallel
  const auto many_rows = [&](const auto& for_rows) {
    chunks.for_each([&](const Columns& columns, const WeightChunk<T>& up, const WeightChunk<T>& down) {
      const std::int64_t first = columns.first, count = columns.count;
      for_rows([&](std::int64_t begin, std::int64_t end) {
        const Block<T> h = chunks.values(begin);
        const Block<T> a = kept != nullptr && !keeps_mask ? Block<T>{kept->as<T>() + begin * chunks.width() + first, chunks.width()} : h;
        for (std::int64_t r = 0; bias != nullptr && r < end - begin; ++r) std::copy_n(bias + first, count, a.data + r * a.stride);
        up.widen(end - begin, {x.as<const T>() + begin * x.width, x.width}, a, bias != nullptr);
        for (std::int64_t r = 0; r < end - begin; ++r) {
          finish(op.activation, a.data + r * a.stride, h.data + r * h.stride, mask, begin + r, first, count);
        }
        if (first == 0 && addends) addends.fill(y.as<T>(), y.width, begin, end);
        down.narrow(end - begin, {h.data, h.stride}, {y.as<T>() + begin * y.width, y.width}, first > 0 || addends);
      });
    });
  };
  if (args.differentiates) {
    many_rows([&](const auto& body) { for_panels(args, x, body); });
    return;
  }
  for_parts(args, x, [&](std::int64_t part_begin, std::int64_t part_end) {
    if (part_end - part_begin <= cpu::kFewRows) {
      few_rows<T>(args, op, keeps_mask ? nullptr : kept, mask, part_begin, part_end);
    } else {
      many_rows([&](const auto& body) { for_panels(part_begin, part_end, body); });
    }
  });
}

template void feed_forward<float>(const KernelArguments&);
template void feed_forward<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
