#include <algorithm>

#include "engine/backend/cpu/bf16_product.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/loss_bf16_scratch.h"
#include "engine/backend/cpu/softmax_loss.h"
#include "engine/ops/linear_cross_entropy.h"

namespace preamble::PREAMBLE_ISA {
namespace {

using Head = LinearCrossEntropy;

/// Number i of a vector of float32 or bf16.
float number(const View& v, std::int64_t i) noexcept {
  return v.dtype == Dtype::bf16 ? widen(v.as<const BFloat16>()[i]) : v.as<const float>()[i];
}

/// Sizes and memory of one call. V: vocabulary, D: width.
struct Call {
  cpu::LossBf16Scratch sizes;
  StoredMatrix w;
  double* terms;      ///< [chunk] parts of the loss
  float* logits;      ///< [chunk, V], later their gradient
  float* numbers;     ///< [chunk, D] sums of dx, then x where dw reads it
  std::byte* packed;  ///< scratch memory of products
};

/// logits [rows, V] = x [rows, D] Wᵀ
void make_logits(const Call& c, const BFloat16* x, std::int64_t rows) {
  const std::int64_t v = c.w.rows;
  bf16_product({.bf16 = x, .stride = c.w.columns}, rows, {c.w, 0, v, true}, c.packed,
               [&](std::int64_t r, std::int64_t column, std::int64_t count, const float* sums) {
                 std::copy_n(sums, count, c.logits + r * v + column);
               });
}

/// dx [rows, D] = dlogits [rows, V] W, a part of the vocabulary at a time.
void make_input_gradient(const Call& c, BFloat16* dx, std::int64_t rows) {
  const std::int64_t v = c.w.rows, d = c.w.columns;
  for (std::int64_t first = 0; first < v; first += cpu::LossBf16Scratch::kVocabulary) {
    const std::int64_t part = std::min(cpu::LossBf16Scratch::kVocabulary, v - first);
    bf16_product({.f32 = c.logits + first, .stride = v}, rows, {c.w, first, part, false}, c.packed,
                 [&](std::int64_t r, std::int64_t column, std::int64_t count, const float* sums) {
                   float* to = c.numbers + r * d + column;
                   if (first == 0) std::fill_n(to, count, 0.0F);
#pragma omp simd
                   for (std::int64_t i = 0; i < count; ++i) to[i] += sums[i];
                 });
  }
  parallel_for(rows, 16,
               [&](std::int64_t begin, std::int64_t end) { round_row(c.numbers + begin * d, dx + begin * d, (end - begin) * d); });
}

/// dW [V, D] (+)= dlogitsᵀ [V, rows] x [rows, D], in float32 as all that is trained.
void add_weight_gradient(const Call& c, const BFloat16* x, float* dw, std::int64_t rows, bool add) {
  const std::int64_t v = c.w.rows, d = c.w.columns;
  widen_row(x, c.numbers, rows * d);
  cpu::Gemm<float> p;
  p.m = v, p.n = d, p.k = rows;
  p.a = c.logits, p.lda = v, p.transpose_a = true;
  p.b = c.numbers, p.ldb = d;
  p.c = dw, p.ldc = d;
  p.beta = add ? 1.0F : 0.0F;
  cpu::parallel_gemm(p);
}

void add_bias_gradient(const Call& c, float* dbias, std::int64_t rows, bool add) {
  const std::int64_t v = c.w.rows;
  parallel_for(v, 1024, [&](std::int64_t begin, std::int64_t end) {
    if (!add) std::fill_n(dbias + begin, end - begin, 0.0F);
    for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dbias[i] += c.logits[r * v + i];
    }
  });
}

}  // namespace

/// Logits, their gradient and the loss are float32; both products round their operands to bf16.
template <class T>
void linear_cross_entropy(const KernelArguments& args);

template <>
void linear_cross_entropy<BFloat16>(const KernelArguments& args) {
  const auto& op = static_cast<const Head&>(args.op);
  const View& x = args.in[Head::kInput];
  const View& bias = args.in[Head::kBias];
  const std::int32_t* labels = args.in[Head::kLabels].as<const std::int32_t>();
  const double weight = static_cast<double>(number(args.in[Head::kWeight], 0));
  auto* dx = args.out[Head::kInputGradient].as<BFloat16>();
  auto* dw = args.out[Head::kWeightsGradient].as<float>();
  auto* dbias = args.out[Head::kBiasGradient].as<float>();
  auto* nll = args.out[Head::kNll].as<float>();
  const bool differentiates = dx != nullptr || dw != nullptr || dbias != nullptr;
  Call c{{}, stored(args.in[Head::kWeights]), reinterpret_cast<double*>(args.workspace), nullptr, nullptr, nullptr};
  const std::int64_t v = c.w.rows, d = c.w.columns;
  c.sizes = cpu::LossBf16Scratch::of(x.rows, d, v);
  c.logits = reinterpret_cast<float*>(c.terms + c.sizes.rows);
  c.numbers = c.logits + c.sizes.rows * v;
  c.packed = reinterpret_cast<std::byte*>(c.numbers + c.sizes.rows * d);
  if (x.rows == 0 && dw != nullptr) std::fill_n(dw, v * d, 0.0F);
  if (x.rows == 0 && dbias != nullptr) std::fill_n(dbias, v, 0.0F);
  double loss = 0;
  for (std::int64_t first = 0; first < x.rows; first += c.sizes.rows) {
    const std::int64_t rows = std::min(c.sizes.rows, x.rows - first);
    const BFloat16* chunk = x.as<const BFloat16>() + first * d;
    make_logits(c, chunk, rows);
    parallel_for(rows, rows_a_task(v), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        float* logits = c.logits + r * v;
        for (std::int64_t i = 0; bias && i < v; ++i) logits[i] += number(bias, i);
        const std::int32_t label = labels[first + r];
        const RowLoss row = differentiates ? row_loss_and_gradient(logits, label, op.z_loss, weight, logits, v)
                                           : row_loss(static_cast<const float*>(logits), label, op.z_loss, v);
        c.terms[r] = row.term();
        if (nll != nullptr) nll[first + r] = static_cast<float>(row.nll);
      }
    });
    loss += sum_of(static_cast<const double*>(c.terms), rows);
    if (dx != nullptr) make_input_gradient(c, dx + first * d, rows);
    if (dw != nullptr) add_weight_gradient(c, chunk, dw, rows, first > 0);
    if (dbias != nullptr) add_bias_gradient(c, dbias, rows, first > 0);
  }
  if (args.out[Head::kLoss]) *args.out[Head::kLoss].as<float>() = static_cast<float>(weight * loss);
}

}  // namespace preamble::PREAMBLE_ISA
