#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/addends.h"
#include "engine/backend/cpu/feed_forward_chunks.h"
#include "engine/backend/cpu/row_parts.h"
#include "engine/ops/feed_forward.h"

namespace preamble::PREAMBLE_ISA {
namespace {

using Grad = FeedForwardGrad;

/// What f' is computed from, for a chunk of columns of some rows.
template <class T>
class Slopes {
 public:
  Slopes(const KernelArguments& args, std::int64_t width)
      : op_(static_cast<const Grad&>(args.op)),
        kept_(args.in[Grad::kKept]),
        bias_(args.in[Grad::kFirstBias].as<const T>()),
        width_(width) {}

  /// t [rows, count] of rows from `begin` on becomes f'(a) ∘ t. `a`: scratch for such values where they are made again.
  void multiply(const WeightChunk<T>& up, Columns columns, std::int64_t begin, std::int64_t rows, Block<T> t, Block<T> a) const {
    if (op_.recomputes) recompute(up, columns, begin, rows, a);
    const bool masked = !op_.recomputes && op_.activation == ActivationKind::relu;
    for (std::int64_t r = 0; r < rows; ++r) {
      T* row = t.data + r * t.stride;
      if (masked) {
        select_positive(kept_.as<const std::uint8_t>() + (begin + r) * kept_.width + columns.first / 8, row, row, columns.count);
      } else {
        const T* from = op_.recomputes ? a.data + r * a.stride : kept_.as<const T>() + (begin + r) * width_ + columns.first;
        activate_gradient_row(op_.activation, from, row, row, columns.count);
      }
    }
  }

 private:
  void recompute(const WeightChunk<T>& up, Columns columns, std::int64_t begin, std::int64_t rows, Block<T> a) const {
    for (std::int64_t r = 0; bias_ != nullptr && r < rows; ++r) std::copy_n(bias_ + columns.first, columns.count, a.data + r * a.stride);
    up.widen(rows, {kept_.as<const T>() + begin * kept_.width, kept_.width}, a, bias_ != nullptr);
    if (!slope_reads_result(op_.activation)) return;
    for (std::int64_t r = 0; r < rows; ++r) activate_row(op_.activation, a.data + r * a.stride, a.data + r * a.stride, columns.count);
  }

  const Grad& op_;
  const View& kept_;
  const T* bias_;
  std::int64_t width_;
};

}  // namespace

template <class T>
void feed_forward_grad(const KernelArguments& args) {
  const auto& op = static_cast<const Grad&>(args.op);
  const View& dy = args.in[Grad::kGradient];
  const View& dx = args.out[0];
  const FeedForwardChunks<T> chunks(args, op, dy.rows, dx.width, dy.width);
  const Slopes<T> slopes(args, chunks.width());
  const Addends<T> addends(args, args.in.size(), Grad::kResidual);
  chunks.for_each([&](const Columns& columns, const WeightChunk<T>& up, const WeightChunk<T>& down) {
    for_panels(args, dy, [&](std::int64_t begin, std::int64_t end) {
      const Block<T> t = chunks.values(begin);
      down.widen(end - begin, {dy.as<const T>() + begin * dy.width, dy.width}, t, false);
      slopes.multiply(up, columns, begin, end - begin, t, chunks.more_values(begin));
      if (columns.first == 0 && addends) addends.fill(dx.as<T>(), dx.width, begin, end);
      up.narrow(end - begin, {t.data, t.stride}, {dx.as<T>() + begin * dx.width, dx.width}, columns.first > 0 || addends);
    });
  });
}

template void feed_forward_grad<float>(const KernelArguments&);
template void feed_forward_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
