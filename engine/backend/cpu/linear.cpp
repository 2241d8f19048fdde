#include "engine/ops/linear.h"

#include <algorithm>

#include "engine/backend/cpu/activate.h"
#include "engine/backend/cpu/addends.h"
#include "engine/backend/cpu/converted_rows.h"
#include "engine/backend/cpu/few_rows.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/row_parts.h"

namespace preamble::PREAMBLE_ISA {
namespace {

struct Dims {
  std::int64_t rows, k, n;
  bool out_in;
};

/// y += or = x Wᵀ for some rows and columns [first, first + count) of y; w points at the first of these rows (out_in) or at row
/// `first` of K rows (in_out, then `first` counts rows of W and the product is over them alone).
template <class T>
void multiply(const Dims& d, std::int64_t rows, const T* x, const T* w, T* y, std::int64_t first, std::int64_t count, bool add) {
  cpu::Gemm<T> p;
  p.m = rows;
  p.lda = d.k;
  p.ldc = d.n;
  p.b = w;
  p.transpose_b = d.out_in;
  p.beta = add ? T(1) : T(0);
  if (d.out_in) {
    p.n = count, p.k = d.k, p.a = x, p.ldb = d.k, p.c = y + first;
  } else {
    p.n = d.n, p.k = count, p.a = x + first, p.ldb = d.n, p.c = y;
  }
  cpu::gemm(p);
}

/// y = x Wᵀ (+ y). `for_rows`: calls its argument with the ends of panels of rows, in parallel. `converted`: memory for parts of a weight that is
/// stored in another type.
template <class T, class ForRows>
void product_of_panels(const StoredMatrix& w, const Dims& d, const T* x, T* y, bool add, T* converted, const ForRows& for_rows) {
  // rows of a weight that is stored in another type are converted into the workspace, some at a time
  const std::int64_t block = w.dtype == dtype_v<T> ? w.rows : cpu::converted_rows(w.rows, w.columns);
  for (std::int64_t first = 0; first < w.rows; first += block) {
    const std::int64_t count = std::min(block, w.rows - first);
    const Block<const T> part = read(w, {first, count, 0, w.columns}, converted);
    for_rows([&](std::int64_t begin, std::int64_t end) {
      multiply(d, end - begin, x + begin * d.k, part.data, y + begin * d.n, first, count, add || (!d.out_in && first > 0));
    });
  }
}

template <class T>
void product(const KernelArguments& args, const Dims& d, T* y, bool add, std::int64_t used_workspace) {
  const View& x = args.in[Linear::kInput];
  const StoredMatrix w = stored(args.in[Linear::kWeight]);
  const T* values = x.as<const T>();
  T* converted = reinterpret_cast<T*>(args.workspace + used_workspace);
  if (args.differentiates) {
    product_of_panels(w, d, values, y, add, converted, [&](const auto& body) { for_panels(args, x, body); });
    return;
  }
  for_parts(args, x, [&](std::int64_t begin, std::int64_t end) {
    if (end - begin <= cpu::kFewRows) {
      few_rows_product<T>(w, d.out_in, end - begin, {values + begin * d.k, d.k}, {y + begin * d.n, d.n}, add);
    } else {
      product_of_panels(w, d, values, y, add, converted, [&](const auto& body) { for_panels(begin, end, body); });
    }
  });
}

/// y = f(sum); the mask of relu besides.
template <class T>
void finish(ActivationKind kind, const T* sum, const View& y, std::uint8_t* mask, std::int64_t mask_width) {
  parallel_for(y.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (mask != nullptr) pack_positive(sum + r * y.width, mask + r * mask_width, y.width);
      if (y) activate_row(kind, sum + r * y.width, y.as<T>() + r * y.width, y.width);
    }
  });
}

}  // namespace

template <class T>
void linear(const KernelArguments& args) {
  const auto& op = static_cast<const Linear&>(args.op);
  const View& x = args.in[Linear::kInput];
  const Dims d{x.rows, x.width, args.out[0].width, op.layout == WeightLayout::out_in};
  const Addends<T> addends(args, Linear::kBias, Linear::kResidual);
  const View* kept = args.out.size() > 1 && args.out[1] ? &args.out[1] : nullptr;
  const bool keeps_mask = kept != nullptr && kept->dtype == Dtype::u8;
  const bool keeps_sum = kept != nullptr && !keeps_mask;
  const bool in_workspace = !keeps_sum && !args.out[0];  // only the mask is read
  T* sum = keeps_sum ? kept->as<T>() : in_workspace ? reinterpret_cast<T*>(args.workspace) : args.out[0].as<T>();
  if (addends) {
    parallel_for(d.rows, 64, [&](std::int64_t begin, std::int64_t end) { addends.fill(sum, d.n, begin, end); });
  }
  product<T>(args, d, sum, bool(addends), in_workspace ? d.rows * d.n * static_cast<std::int64_t>(sizeof(T)) : 0);
  if (op.activation) finish(*op.activation, sum, args.out[0], keeps_mask ? kept->as<std::uint8_t>() : nullptr, keeps_mask ? kept->width : 0);
}

template void linear<float>(const KernelArguments&);
template void linear<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
