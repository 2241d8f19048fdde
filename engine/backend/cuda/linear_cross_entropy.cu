#include <algorithm>

#include "engine/backend/cuda/column_sums.cuh"
#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/backend/cuda/loss_scratch.h"
#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/stored_rows.h"
#include "engine/backend/cuda/total.cuh"
#include "engine/ops/linear_cross_entropy.h"

namespace preamble::cuda {
namespace {

using Head = LinearCrossEntropy;

/// Products of bf16 take whole pieces of 16 bytes, and are several times slower where a row of logits ends within one: the last words of
/// such a vocabulary are multiplied by kernels of their own.
template <class T>
[[nodiscard]] constexpr std::int64_t last_words(std::int64_t vocabulary) noexcept {
  return real_dtype<T> == Dtype::bf16 && vocabulary > kOctet ? vocabulary % kOctet : 0;
}

/// logits[r, :] = w x[r, :] of a few words. A warp owns a row, and reads it once.
template <class T>
__global__ void __launch_bounds__(kThreads)
    last_logits_kernel(const T* x, const T* w, std::int64_t words, std::int64_t width, float* logits, std::int64_t stride, std::int64_t rows) {
  const std::int64_t row = thread_index() / kWarp;
  if (row >= rows) return;
  float sums[kOctet] = {};
  for (std::int64_t first = threadIdx.x % kWarp * kOctet; first < width; first += kWarp * kOctet) {
    const std::int64_t left = width - first;
    float a[kOctet];
    load(x + row * width + first, left, a);
#pragma unroll
    for (int n = 0; n < kOctet; ++n) {
      if (n >= words) continue;
      float b[kOctet];
      load(w + n * width + first, left, b);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) sums[n] += a[i] * b[i];
    }
  }
#pragma unroll
  for (int n = 0; n < kOctet; ++n) {
    if (n >= words) continue;
    const float sum = warp_sum(sums[n]);
    if (threadIdx.x % kWarp == 0) logits[row * stride + n] = sum;
  }
}

/// dx[r, :] += d[r, :] w of a few words. A thread owns eight columns of a row.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_last_words_kernel(const T* d, std::int64_t stride, const T* w, std::int64_t words, Reals dx, std::int64_t first_row, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float sum[kOctet];
  load(dx, (first_row + row) * size.columns + column, left, sum);
#pragma unroll
  for (int n = 0; n < kOctet; ++n) {
    if (n >= words) continue;
    const float factor = to_float(d[row * stride + n]);
    float v[kOctet];
    load(w + n * size.columns + column, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) sum[i] += factor * v[i];
  }
  store(dx, (first_row + row) * size.columns + column, left, sum);
}

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
  /// Words that products take, and the others.
  [[nodiscard]] std::int64_t words() const { return vocabulary - last(); }
  [[nodiscard]] std::int64_t last() const { return last_words<T>(vocabulary); }
  [[nodiscard]] const T* last_w() const { return static_cast<const T*>(w) + words() * x.width; }

  /// logits [rows, V] = x [rows, D] Wᵀ
  [[nodiscard]] Product logits_product() const {
    Product p;
    p.m = rows, p.n = words(), p.k = x.width;
    p.a_type = p.b_type = real_dtype<T>;
    p.a = x_rows(), p.lda = x.width;
    p.b = w, p.ldb = x.width, p.transpose_b = true;
    p.c = logits, p.ldc = stride;
    return p;
  }
  /// dx [rows, D] = dlogits [rows, V] W
  [[nodiscard]] Product input_product(const View& dx) const {
    Product p;
    p.m = rows, p.n = x.width, p.k = words();
    p.a_type = p.b_type = real_dtype<T>;
    p.a = gradient(), p.lda = gradient_stride();
    p.b = w, p.ldb = x.width;
    p.c = dx.as<std::byte>() + first * x.width * static_cast<std::int64_t>(size_of(dx.dtype)), p.c_type = dx.dtype, p.ldc = x.width;
    return p;
  }
  /// dW [V, D] (+)= dlogitsᵀ [V, rows] x
  [[nodiscard]] Product weight_product(const View& dw, std::int64_t first_word, std::int64_t count) const {
    Product p;
    p.m = count, p.n = x.width, p.k = rows;
    p.a_type = p.b_type = real_dtype<T>;
    p.a = gradient() + first_word, p.lda = gradient_stride(), p.transpose_a = true;
    p.b = x_rows(), p.ldb = x.width;
    p.c = dw.as<std::byte>() + first_word * x.width * static_cast<std::int64_t>(size_of(dw.dtype)), p.c_type = dw.dtype, p.ldc = x.width;
    p.beta = first > 0 ? 1 : 0;
    return p;
  }

  void make_logits(const Queue& queue) const {
    queue.products->run(logits_product());
    if (last() == 0) return;
    launch_each("linear_cross_entropy", last_logits_kernel<T>, rows * kWarp, queue, x_rows(), last_w(), last(), x.width, logits + words(), stride,
                rows);
  }
  void make_input_gradient(const View& dx, const Queue& queue) const {
    queue.products->run(input_product(dx));
    if (last() == 0) return;
    const Matrix size{nullptr, rows, x.width};
    launch_each("linear_cross_entropy", add_last_words_kernel<T>, rows * octets_of(x.width), queue, gradient() + words(), gradient_stride(),
                last_w(), last(), Reals(dx), first, size);
  }
  void add_weight_gradient(const View& dw, const Queue& queue) const {
    queue.products->run(weight_product(dw, 0, words()));
    queue.products->run(weight_product(dw, words(), last()));
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
    convert_matrix("linear_cross_entropy", w, weight, args.queue);
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
  call.weighs_rows = args.in[Head::kWeight].layout != nullptr;
  call.terms = reinterpret_cast<double*>(args.scratch);
  call.nll = Reals(args.output(Head::kNll));
  for (std::int64_t first = 0; first < x.rows; first += scratch.chunk) {
    const Chunk<T> chunk{x,     scratch.weight != 0 ? converted : w.data, vocabulary, reinterpret_cast<float*>(logits), scratch.stride,
                         first, std::min(scratch.chunk, x.rows - first)};
    call.first = first;
    chunk.make_logits(args.queue);
    loss_rows("linear_cross_entropy", call, chunk.rows, static_cast<const float*>(chunk.logits), chunk.stride,
              dx || dw || dbias ? chunk.gradient() : nullptr, chunk.gradient_stride(), args.queue);
    if (dx) chunk.make_input_gradient(dx, args.queue);
    if (dw) chunk.add_weight_gradient(dw, args.queue);
    if (dbias) {
      column_sums("linear_cross_entropy", static_cast<const T*>(chunk.gradient()), chunk.gradient_stride(),
                  {nullptr, chunk.rows, vocabulary}, LossScratch::kBiasParts, bias_parts, dbias, first > 0, args.queue);
    }
  }
  if (loss) {
    launch("linear_cross_entropy", total_kernel, 1, 1024, args.queue, call.terms, Matrix{x.layout, x.rows, 1}, factor_of(call), Reals(loss));
  }
}

template void linear_cross_entropy<float>(const Arguments&);
template void linear_cross_entropy<Bf16>(const Arguments&);

}  // namespace preamble::cuda
