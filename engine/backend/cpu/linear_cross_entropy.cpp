#include "engine/ops/linear_cross_entropy.h"

#include <algorithm>
#include <cstring>

#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/loss_chunks.h"
#include "engine/backend/cpu/row_parts.h"
#include "engine/backend/cpu/row_weights.h"
#include "engine/backend/cpu/softmax_loss.h"
#include "engine/backend/cpu/stored_part.h"

namespace preamble::PREAMBLE_ISA {
namespace {

using Head = LinearCrossEntropy;

/// Sizes and memory of one call. V: vocabulary, D: width.
template <class T>
struct Call {
  std::int64_t d, v;
  LossChunks chunks;
  StoredMatrix w;
  double* terms;  ///< [chunk] parts of the loss
  T* logits;      ///< [chunk, V], later their gradient
  T* converted;   ///< [chunks.vocabulary, D] rows of w, if they must be converted
};

/// Calls `body(first, count, rows)` for blocks of rows of w in the type T.
template <class T, class Body>
void for_weight_blocks(const Call<T>& call, const Body& body) {
  for (std::int64_t first = 0; first < call.v; first += call.chunks.vocabulary) {
    const std::int64_t count = std::min(call.chunks.vocabulary, call.v - first);
    body(first, count, read(call.w, {first, count, 0, call.d}, call.converted).data);
  }
}

/// logits [rows, V] = x [rows, D] Wᵀ [D, V], in blocks of columns: each row of w is packed once.
template <class T>
void make_logits(const Call<T>& call, const T* x, std::int64_t rows) {
  for_weight_blocks(call, [&](std::int64_t first, std::int64_t count, const T* w) {
    parallel_for(count, std::min<std::int64_t>(1024, (count + 7) / 8), [&](std::int64_t begin, std::int64_t end) {
      cpu::Gemm<T> p;
      p.m = rows, p.n = end - begin, p.k = call.d;
      p.a = x, p.lda = call.d;
      p.b = w + begin * call.d, p.ldb = call.d, p.transpose_b = true;
      p.c = call.logits + first + begin, p.ldc = call.v;
      cpu::gemm(p);
    });
  });
}

/// dx [rows, D] = dlogits [rows, V] W [V, D], in blocks of columns.
template <class T>
void make_input_gradient(const Call<T>& call, T* dx, std::int64_t rows) {
  for_weight_blocks(call, [&](std::int64_t first, std::int64_t count, const T* w) {
    parallel_for(call.d, 128, [&](std::int64_t begin, std::int64_t end) {
      cpu::Gemm<T> p;
      p.m = rows, p.n = end - begin, p.k = count;
      p.a = call.logits + first, p.lda = call.v;
      p.b = w + begin, p.ldb = call.d;
      p.c = dx + begin, p.ldc = call.d;
      p.beta = first > 0 ? T(1) : T(0);
      cpu::gemm(p);
    });
  });
}

/// dW [V, D] += dlogitsᵀ [V, rows] x [rows, D]
template <class T>
void add_weight_gradient(const Call<T>& call, const T* x, T* dw, std::int64_t rows) {
  cpu::Gemm<T> p;
  p.m = call.v, p.n = call.d, p.k = rows;
  p.a = call.logits, p.lda = call.v, p.transpose_a = true;
  p.b = x, p.ldb = call.d;
  p.c = dw, p.ldc = call.d;
  p.beta = 1;
  cpu::parallel_gemm(p);
}

template <class T>
void add_bias_gradient(const Call<T>& call, T* dbias, std::int64_t rows) {
  parallel_for(call.v, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* row = call.logits + r * call.v;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dbias[i] += row[i];
    }
  });
}

template <class T>
void clear(T* x, std::int64_t count) {
  if (x == nullptr) return;
  parallel_for(count, 1 << 16,
               [&](std::int64_t begin, std::int64_t end) { std::memset(x + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(T)); });
}

}  // namespace

template <class T>
void linear_cross_entropy(const KernelArguments& args) {
  const auto& op = static_cast<const Head&>(args.op);
  const View& x = args.in[Head::kInput];
  const View& w = args.in[Head::kWeights];
  const T* bias = args.in[Head::kBias].as<T>();
  const std::int32_t* labels = args.in[Head::kLabels].as<std::int32_t>();
  const RowWeights<T> weights(args.in[Head::kWeight]);
  T* nll = args.out[Head::kNll].as<T>();
  T* dx = args.out[Head::kInputGradient].as<T>();
  T* dw = args.out[Head::kWeightsGradient].as<T>();
  T* dbias = args.out[Head::kBiasGradient].as<T>();
  const bool differentiates = dx != nullptr || dw != nullptr || dbias != nullptr;
  Call<T> call{x.width, (*w.dims)[0], {}, stored(w), reinterpret_cast<double*>(args.workspace), nullptr, nullptr};
  // the scratch memory is for chunks of all rows
  call.chunks = LossChunks::of(x.rows, call.d, call.v, w.dtype != dtype_v<T>);
  call.logits = reinterpret_cast<T*>(call.terms + call.chunks.rows);
  call.converted = call.logits + call.chunks.rows * call.v;
  clear(dw, call.v * call.d);
  clear(dbias, call.v);
  double loss = 0;
  const auto run = [&](std::int64_t first, std::int64_t rows) {
    const T* chunk = x.as<T>() + first * call.d;
    make_logits(call, chunk, rows);
    parallel_for(rows, rows_a_task(call.v), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        T* logits = call.logits + r * call.v;
        for (std::int64_t i = 0; bias != nullptr && i < call.v; ++i) logits[i] += bias[i];
        const std::int32_t label = labels[first + r];
        const RowLoss row = differentiates ? row_loss_and_gradient(logits, label, op.z_loss, weights[first + r], logits, call.v)
                                           : row_loss(logits, label, op.z_loss, call.v);
        call.terms[r] = weights.in_term(first + r) * row.term();
        if (nll != nullptr) nll[first + r] = static_cast<T>(row.nll);
      }
    });
    loss += sum_of(call.terms, rows);
    if (dx != nullptr) make_input_gradient(call, dx + first * call.d, rows);
    if (dw != nullptr) add_weight_gradient(call, chunk, dw, rows);
    if (dbias != nullptr) add_bias_gradient(call, dbias, rows);
  };
  for_parts(args, x, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t chunk = LossChunks::of(end - begin, call.d, call.v, w.dtype != dtype_v<T>).rows;
    for (std::int64_t first = begin; first < end; first += chunk) run(first, std::min(chunk, end - first));
  });
  if (args.out[Head::kLoss]) *args.out[Head::kLoss].as<T>() = static_cast<T>(weights.in_sum() * loss);
}

template void linear_cross_entropy<float>(const KernelArguments&);
template void linear_cross_entropy<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
