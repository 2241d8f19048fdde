#include <algorithm>

#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/finish_rows.cuh"
#include "engine/backend/cuda/linear_scratch.h"
#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/stored_rows.h"
#include "engine/ops/linear.h"

namespace preamble::cuda {
namespace {

/// A vector or matrix of this run in scratch memory.
View in_scratch(const View& like, std::byte* data, Dtype dtype) {
  View view = like;
  view.data = data;
  view.dtype = dtype;
  return view;
}

/// y = x W (+ ...) as `p` says. Where its weight is still open, in blocks of columns of y whose weights are converted.
void multiply(Product p, const View& w, bool out_in, const LinearScratch& scratch, std::byte* converted, const Queue& queue) {
  if (p.b != nullptr) return queue.products->run(p);
  const std::int64_t n = p.n;
  const auto c_size = static_cast<std::int64_t>(size_of(p.c_type));
  const auto at = [&](void* base, std::int64_t first) {
    return base == nullptr ? nullptr : static_cast<std::byte*>(base) + first * c_size;
  };
  const Product whole = p;
  for (std::int64_t first = 0; first < n; first += scratch.columns) {
    const std::int64_t count = std::min(scratch.columns, n - first);
    const std::int64_t width = out_in ? p.k : count;
    const View to = in_scratch(w, converted, p.a_type);
    if (is_encoded(w.dtype)) {
      decode_rows("linear", w, out_in ? first : 0, out_in ? 0 : first, out_in ? count : p.k, width, to, queue);
    } else {
      copy_rows("linear", {Reals(w), out_in ? first * p.k : first, out_in ? p.k : n}, {Reals(to), 0, width},
                {nullptr, out_in ? count : p.k, width}, queue);
    }
    p.n = count;
    p.b = converted;
    p.ldb = width;
    p.c = at(whole.c, first);
    p.addend = at(const_cast<void*>(whole.addend), first);
    p.bias = at(const_cast<void*>(whole.bias), first);
    p.kept = at(whole.kept, first);
    queue.products->run(p);
  }
}

}  // namespace

/// The bias, the residual and gelu_tanh of bf16 are the product's own epilogue. Other activations read the sum once
/// more and write it over, with the mask of relu beside it. A few rows read a quantised weight as it lies.
template <class T>
void linear(const Arguments& args) {
  const auto& op = static_cast<const Linear&>(args.op);
  const View& x = args.in[Linear::kInput];
  const View& w = args.in[Linear::kWeight];
  const View bias = args.operand(Linear::kBias), residual = args.operand(Linear::kResidual);
  const View y = args.output(0), kept = args.output(1);
  const bool out_in = op.layout == WeightLayout::out_in;
  const std::int64_t n = (*w.dims)[out_in ? 0 : 1];
  const bool keeps_mask = kept && kept.dtype == Dtype::u8;
  const bool keeps_sum = kept && !keeps_mask;

  const LinearScratch scratch = LinearScratch::of({.rows = x.rows,
                                                   .k = x.width,
                                                   .n = n,
                                                   .activation = real_dtype<T>,
                                                   .weight = w.dtype,
                                                   .bias = bias.dtype,
                                                   .has_bias = bool(bias),
                                                   .mask_alone = keeps_mask && !y});
  View sum = keeps_sum ? kept : y;
  if (!sum) {
    sum = in_scratch(x, args.scratch, real_dtype<T>);
    sum.width = n;
  }
  const bool few = is_encoded(w.dtype) && x.rows <= kFewStoredRows;
  const bool fused = !few && op.activation == ActivationKind::gelu_tanh && y && fuses_gelu_tanh(real_dtype<T>, n);
  const auto finish = [&] {
    if (op.activation && !fused && (y || keeps_mask)) finish_rows<T>("linear", *op.activation, sum, y, keeps_mask ? kept : View{}, args.queue);
  };
  if (few) {
    few_rows_product("linear", {x, w, out_in, bias, residual, sum}, args.queue);
    return finish();
  }

  Product p;
  p.m = x.rows, p.n = n, p.k = x.width;
  p.a = x.data, p.a_type = p.b_type = x.dtype, p.lda = x.width;
  p.transpose_b = out_in;
  if (w.dtype == p.a_type) p.b = w.data, p.ldb = out_in ? p.k : n;
  p.c_type = real_dtype<T>, p.ldc = n;
  if (residual) p.addend = residual.data, p.beta = 1;
  if (bias && scratch.bias == 0) p.bias = bias.data;
  if (scratch.bias != 0) {
    std::byte* converted = args.scratch + scratch.sum;
    copy_rows("linear", {Reals(bias), 0, n}, {Reals(in_scratch(bias, converted, real_dtype<T>)), 0, n}, {nullptr, 1, n}, args.queue);
    p.bias = converted;
  }
  p.c = sum.data;
  if (fused) p.c = y.data, p.gelu_tanh = true, p.kept = kept.data;
  multiply(p, w, out_in, scratch, args.scratch + scratch.sum + scratch.bias, args.queue);
  finish();
}

template void linear<float>(const Arguments&);
template void linear<Bf16>(const Arguments&);

}  // namespace preamble::cuda
