#include <algorithm>

#include "engine/backend/cuda/column_sums.cuh"
#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/backend/cuda/loss_scratch.h"
#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/total.cuh"
#include "engine/ops/linear_cross_entropy.h"

namespace preamble::cuda {
namespace {

using Head = LinearCrossEntropy;

/// A chunk of rows: its logits, which become their own gradient, and what they are multiplied with.
template <class T>
struct Chunk {
  const View& x;
  const void* w;  ///< [V, D] of type T
  std::int64_t vocabulary;
  float* logits;
  std::int64_t stride;  ///< of logits
  std::int64_t first, rows;

  [[nodiscard]] T* gradient() const { return reinterpret_cast<T*>(logits); }
  [[nodiscard]] std::int64_t gradient_stride() const { return stride * static_cast<std::int64_t>(sizeof(float) / sizeof(T)); }
  [[nodiscard]] const T* x_rows() const { return x.as<const T>() + first * x.width; }

  /// logits [rows, V] = x [rows, D] Wᵀ
  [[nodiscard]] Product logits_product() const {
    Product p;
    p.m = rows, p.n = vocabulary, p.k = x.width;
    p.a_type = p.b_type = real_dtype<T>;
    p.a = x_rows(), p.lda = x.width;
    p.b = w, p.ldb = x.width, p.transpose_b = true;
    p.c = logits, p.ldc = stride;
    return p;
  }
  /// dx [rows, D] = dlogits [rows, V] W
  [[nodiscard]] Product input_product(const View& dx) const {
    Product p;
    p.m = rows, p.n = x.width, p.k = vocabulary;
    p.a_type = p.b_type = real_dtype<T>;
    p.a = gradient(), p.lda = gradient_stride();
    p.b = w, p.ldb = x.width;
    p.c = dx.as<std::byte>() + first * x.width * static_cast<std::int64_t>(size_of(dx.dtype)), p.c_type = dx.dtype, p.ldc = x.width;
    return p;
  }
  /// dW [V, D] (+)= dlogitsᵀ [V, rows] x
  [[nodiscard]] Product weight_product(const View& dw) const {
    Product p;
    p.m = vocabulary, p.n = x.width, p.k = rows;
    p.a_type = p.b_type = real_dtype<T>;
    p.a = gradient(), p.lda = gradient_stride(), p.transpose_a = true;
    p.b = x_rows(), p.ldb = x.width;
    p.c = dw.data, p.c_type = dw.dtype, p.ldc = x.width;
    p.beta = first > 0 ? 1 : 0;
    return p;
  }
};

}  // namespace

/// Chunk by chunk of rows of the bound: logits in float32, their gradient over them, then the products that read it. Rows that do not exist
/// have a gradient of zero, and x is made zero there, so that they add nothing to dw.
template <class T>
void linear_cross_entropy(const Arguments& args) {
  const auto& op = static_cast<const Head&>(args.op);
  const View& x = args.in[Head::kInput];
  const View& w = args.in[Head::kWeights];
  const View loss = args.output(Head::kLoss), dx = args.output(Head::kInputGradient), dw = args.output(Head::kWeightsGradient),
             dbias = args.output(Head::kBiasGradient);
  const std::int64_t vocabulary = (*w.dims)[0];
  const LossScratch scratch = LossScratch::of({.rows = x.rows,
                                               .width = x.width,
                                               .vocabulary = vocabulary,
                                               .activation = real_dtype<T>,
                                               .weight = w.dtype,
                                               .differentiates_bias = bool(dbias)});
  std::byte* logits = args.scratch + scratch.terms;
  std::byte* converted = logits + scratch.logits;
  auto* bias_parts = reinterpret_cast<float*>(converted + scratch.weight);
  if (scratch.weight != 0) {
    View weight = w;
    weight.data = converted;
    weight.dtype = real_dtype<T>;
    copy_elements("linear_cross_entropy", Reals(w), 0, Reals(weight), 0, w.width, args.queue);
  }
  if (dw) clear_tail("linear_cross_entropy", x, args.queue);
  if (x.rows == 0) {
    clear("linear_cross_entropy", dw, 0, dw.width, args.queue);
    clear("linear_cross_entropy", dbias, 0, dbias.width, args.queue);
  }
  LossRows call;
  call.size = {x.layout, x.rows, vocabulary};
  call.bias = Reals(args.operand(Head::kBias));
  call.labels = args.in[Head::kLabels].as<const std::int32_t>();
  call.z_loss = op.z_loss;
  call.weight = Reals(args.in[Head::kWeight]);
  call.terms = reinterpret_cast<double*>(args.scratch);
  call.nll = Reals(args.output(Head::kNll));
  for (std::int64_t first = 0; first < x.rows; first += scratch.chunk) {
    const Chunk<T> chunk{x,     scratch.weight != 0 ? converted : w.data, vocabulary, reinterpret_cast<float*>(logits), scratch.stride,
                         first, std::min(scratch.chunk, x.rows - first)};
    call.first = first;
    args.queue.products->run(chunk.logits_product());
    loss_rows("linear_cross_entropy", call, chunk.rows, static_cast<const float*>(chunk.logits), chunk.stride,
              dx || dw || dbias ? chunk.gradient() : nullptr, chunk.gradient_stride(), args.queue);
    if (dx) args.queue.products->run(chunk.input_product(dx));
    if (dw) args.queue.products->run(chunk.weight_product(dw));
    if (dbias) {
      column_sums("linear_cross_entropy", static_cast<const T*>(chunk.gradient()), chunk.gradient_stride(),
                  {nullptr, chunk.rows, vocabulary}, LossScratch::kBiasParts, bias_parts, dbias, first > 0, args.queue);
    }
  }
  if (loss) {
    launch("linear_cross_entropy", total_kernel, 1, 1024, args.queue, call.terms, Matrix{x.layout, x.rows, 1}, call.weight, Reals(loss));
  }
}

template void linear_cross_entropy<float>(const Arguments&);
template void linear_cross_entropy<Bf16>(const Arguments&);

}  // namespace preamble::cuda
