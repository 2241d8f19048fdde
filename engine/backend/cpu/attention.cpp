#include "engine/ops/attention.h"

#include "engine/backend/cpu/attention_lanes.h"
#include "engine/backend/cpu/attention_scores.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// Turns scores into exp(score - maximum), zero where a row does not see a key. Gives each row's sum and log-sum-exp.
template <class T>
void exponentials(const QueryBlock& b, T* s, T* sum, T* log_sum_exp) noexcept {
  for (std::int64_t i = 0; i < b.rows; ++i) {
    T* row = s + i * b.width();
    const std::int64_t seen = b.seen(i);
    const std::int64_t hidden = b.hidden[i];
    std::fill(row, row + hidden, T(0));
    std::fill(row + seen, row + b.width(), T(0));
    sum[i] = log_sum_exp[i] = 0;
    if (seen == hidden) continue;
    const T largest = max_of(row + hidden, seen - hidden);
    sum[i] = exp_row(row + hidden, seen - hidden, largest);
    log_sum_exp[i] = largest + std::log(sum[i]);
  }
}

template <class T>
void drop(const ProbabilityMask<T>& mask, const QueryBlock& b, std::int64_t head, T* s) noexcept {
  for (std::int64_t i = 0; i < b.rows; ++i) {
    T* row = s + i * b.width();
    mask.for_pieces({b.segment, b.position[i], head}, b.keys.skipped, b.seen(i), [&](std::int64_t first, std::int64_t count, const T* factors) {
#pragma omp simd
      for (std::int64_t j = 0; j < count; ++j) row[first + j] *= factors[j];
    });
  }
}

}  // namespace

template <class T>
void attention(const KernelArguments& args) {
  const AttentionOptions& options = static_cast<const Attention&>(args.op).options;
  AttentionProblem<T> problem(args, options);
  const AttentionScratch scratch = AttentionScratch::forward(options, problem.sizes());
  problem.relative = RelativeBias<T>::make(problem.table, options, scratch, args.workspace);
  problem.disentangled.list_rows(options, args.workspace);
  const View& o = args.out[Attention::kOutput];
  const View kept = args.out.size() > Attention::kLogSumExp ? args.out[Attention::kLogSumExp] : View{};

  run_lanes(lanes_of(scratch, args.workspace_bytes), problem.q.layout->segments * options.heads, [&](std::int64_t lane, std::int64_t task) {
    const auto segment = static_cast<std::int32_t>(task / options.heads);
    const std::int64_t head = task % options.heads;
    T* terms = reinterpret_cast<T*>(args.workspace + scratch.fixed + lane * scratch.lane);
    T* s = terms + scratch.terms / std::int64_t{sizeof(T)};
    problem.for_blocks(segment, [&](const QueryBlock& b) {
      T sum[AttentionScratch::kBlockRows];
      T log_sum_exp[AttentionScratch::kBlockRows];
      scores(problem, b, head, s, terms);
      exponentials(b, s, sum, log_sum_exp);
      if (o && problem.mask) drop(problem.mask, b, head, s);
      if (o) times_rows(problem, b, head, T(1), s, problem.prefix_v, problem.v, o);
      for (std::int64_t i = 0; i < b.rows; ++i) {
        if (kept) kept.as<T>()[(b.first + i) * options.heads + head] = log_sum_exp[i];
        if (!o || sum[i] == T(0)) continue;
        T* row = o.as<T>() + (b.first + i) * o.width + head * problem.dim;
        const T normal = T(1) / sum[i];
#pragma omp simd
        for (std::int64_t c = 0; c < problem.dim; ++c) row[c] *= normal;
      }
    });
  });
}

template void attention<float>(const KernelArguments&);
template void attention<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
