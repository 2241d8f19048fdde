#include "engine/ops/attention.h"

#include <tuple>
#include <utility>

#include "engine/backend/cpu/attention_lanes.h"
#include "engine/backend/cpu/attention_panels.h"
#include "engine/backend/cpu/attention_scores.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// Turns row `i` of scores into exp(score - maximum), zero where it does not see a key. Gives its sum and log-sum-exp. `padded`: rows end at whole
/// units.
template <bool padded, class T>
std::pair<T, T> exponentials(const QueryBlock& b, std::int64_t i, T* row) noexcept {
  const std::int64_t seen = b.seen(i);
  const std::int64_t hidden = b.hidden[i];
  std::fill(row, row + hidden, T(0));
  if (!padded || seen == hidden) std::fill(row + seen, row + b.stride, T(0));
  if (seen == hidden) return {T(0), T(0)};
  const T largest = max_of(row + hidden, seen - hidden);
  T sum;
  if constexpr (padded) {
    sum = exp_padded_row(row + hidden, seen - hidden, b.stride - hidden, largest);
  } else {
    sum = exp_row(row + hidden, seen - hidden, largest);
  }
  return {sum, largest + std::log(sum)};
}

template <class T>
void drop(const ProbabilityMask<T>& mask, const QueryBlock& b, std::int64_t i, std::int64_t head, T* row) noexcept {
  mask.for_pieces({b.segment, b.position[i], head}, b.keys.skipped, b.seen(i), [&](std::int64_t first, std::int64_t count, const T* factors) {
#pragma omp simd
    for (std::int64_t j = 0; j < count; ++j) row[first + j] *= factors[j];
  });
}

/// What a task computes a block with: operands as they lie, by BLAS.
template <class T>
class PlainBlocks {
 public:
  PlainBlocks(const AttentionProblem<T>& problem, const AttentionScratch& scratch, std::byte* lane) noexcept
      : problem_(problem), terms_(reinterpret_cast<T*>(lane)), scores_(terms_ + scratch.terms / std::int64_t{sizeof(T)}) {}

  /// Heads of a task.
  [[nodiscard]] static std::int64_t heads(const AttentionProblem<T>& /*problem*/) noexcept { return 1; }
  void begin(std::int32_t /*segment*/, std::int64_t /*kv_head*/, bool /*weighs*/) const noexcept {}
  [[nodiscard]] T* make_scores(const QueryBlock& b, std::int64_t head) const {
    scores(problem_, b, head, scores_, terms_);
    return scores_;
  }
  struct Biases {
    Biases(const AttentionProblem<T>& /*problem*/, const QueryBlock& /*b*/, std::int64_t /*head*/) noexcept {}
  };
  static constexpr bool kPadded = false;
  void begin_row(const QueryBlock& /*b*/, std::int64_t /*i*/, const Biases& /*biases*/) const noexcept {}
  void end_row(const QueryBlock& /*b*/, std::int64_t /*i*/) const noexcept {}
  /// o = normal[row] · w V
  void weigh(const QueryBlock& b, std::int64_t head, const T* sum, const View& o) const {
    times_rows(problem_, b, head, T(1), scores_, problem_.prefix_v, problem_.v, o);
    for (std::int64_t i = 0; i < b.rows; ++i) {
      if (sum[i] == T(0)) continue;
      T* row = o.as<T>() + (b.first + i) * o.width + head * problem_.dim;
      const T normal = T(1) / sum[i];
#pragma omp simd
      for (std::int64_t c = 0; c < problem_.dim; ++c) row[c] *= normal;
    }
  }

 private:
  const AttentionProblem<T>& problem_;
  T* terms_;
  T* scores_;
};

/// The same with products of bf16 numbers.
class PanelBlocks {
 public:
  PanelBlocks(const AttentionProblem<float>& problem, const AttentionScratch& scratch, std::byte* lane) noexcept
      : PanelBlocks(problem, AttentionPanelsScratch::of(problem.sizes(), problem.options), scratch, lane) {}

  /// As many heads of a task as share their keys, which are packed once for all of them, unless threads would want for tasks.
  [[nodiscard]] static std::int64_t heads(const AttentionProblem<float>& problem) noexcept {
    constexpr std::int64_t kTasks = 4;  // of a thread
    const std::int64_t shared = std::max<std::int64_t>(1, problem.q.layout->segments * problem.options.kv_heads);
    const std::int64_t parts = std::clamp<std::int64_t>((kTasks * threads() + shared - 1) / shared, 1, problem.group);
    return (problem.group + parts - 1) / parts;
  }
  void begin(std::int32_t segment, std::int64_t kv_head, bool weighs) {
    panels_.begin(segment, kv_head);
    panels_.pack_transposed(problem_.prefix_k, problem_.k, keys_);
    if (weighs) panels_.pack(problem_.prefix_v, problem_.v, values_);
  }
  [[nodiscard]] float* make_scores(const QueryBlock& b, std::int64_t head) const {
    panels_.copy_rows(problem_.q, b, head, rows_);
    panels_.times_keys(b, rows_, keys_, scores_);
    return scores_;
  }
  using Biases = BlockBiases;
  static constexpr bool kPadded = true;
  /// All that is done to a row is done while it is in the first cache.
  void begin_row(const QueryBlock& b, std::int64_t i, const Biases& biases) const noexcept {
    scale_row(problem_, b, scores_ + i * b.stride);
    biases.add(i, scores_ + i * b.stride);
  }
  void end_row(const QueryBlock& b, std::int64_t i) const noexcept { round_row(scores_ + i * b.stride, weights_ + i * b.stride, b.stride); }
  void weigh(const QueryBlock& b, std::int64_t head, const float* sum, const View& o) const {
    panels_.times_rows(b, weights_, values_, result_);
    for (std::int64_t i = 0; i < b.rows; ++i) {
      float* row = result_ + i * panels_.dim();
      const float normal = sum[i] == 0 ? 0 : 1 / sum[i];
#pragma omp simd
      for (std::int64_t c = 0; c < problem_.dim; ++c) row[c] *= normal;
      store_floats(row, o, b.query(i) * o.width + (head + b.head(i)) * problem_.dim, problem_.dim);
    }
  }

 private:
  PanelBlocks(const AttentionProblem<float>& problem, const AttentionPanelsScratch& sizes, const AttentionScratch& scratch, std::byte* lane) noexcept
      : problem_(problem),
        panels_(problem, sizes, lane),
        scores_(panels_.take<float>(scratch.block)),
        keys_(panels_.take<BFloat16>(sizes.matrix())),
        values_(panels_.take<BFloat16>(sizes.matrix())),
        rows_(panels_.take<BFloat16>(sizes.rows())),
        weights_(panels_.take<BFloat16>(sizes.weights())),
        result_(panels_.take<float>(sizes.result())) {}

  const AttentionProblem<float>& problem_;
  HeadPanels panels_;
  float* scores_;
  BFloat16 *keys_, *values_, *rows_, *weights_;
  float* result_;
};

template <class T, class Blocks>
void run(const KernelArguments& args, std::int64_t key_unit) {
  const AttentionOptions& options = static_cast<const Attention&>(args.op).options;
  AttentionProblem<T> problem(args, options, key_unit);
  const AttentionScratch scratch = AttentionScratch::forward(options, problem.sizes());
  problem.relative = RelativeBias<T>::make(problem.table, options, scratch, args.workspace);
  problem.disentangled.list_rows(options, args.workspace);
  const View& o = args.out[Attention::kOutput];
  const View kept = args.out.size() > Attention::kLogSumExp ? args.out[Attention::kLogSumExp] : View{};

  const std::int64_t together = Blocks::heads(problem), parts = (problem.group + together - 1) / together;
  const std::int64_t tasks = options.kv_heads * parts;  // of a segment
  run_lanes(lanes_of(scratch, args.workspace_bytes), problem.q.layout->segments * tasks, [&](std::int64_t lane, std::int64_t task) {
    const auto segment = static_cast<std::int32_t>(task / tasks);
    const std::int64_t kv_head = task % tasks / parts, first = task % parts * together;
    Blocks blocks(problem, scratch, args.workspace + scratch.fixed + lane * scratch.lane);
    blocks.begin(segment, kv_head, bool(o));
    const std::int64_t heads = std::min(together, problem.group - first);
    problem.for_blocks(segment, kv_head * problem.group + first, heads, [&](const QueryBlock& b, std::int64_t head) {
      T sum[AttentionScratch::kBlockRows];
      T log_sum_exp[AttentionScratch::kBlockRows];
      T* s = blocks.make_scores(b, head);
      const typename Blocks::Biases biases(problem, b, head);
      for (std::int64_t i = 0; i < b.rows; ++i) {
        blocks.begin_row(b, i, biases);
        std::tie(sum[i], log_sum_exp[i]) = exponentials<Blocks::kPadded>(b, i, s + i * b.stride);
        if (o && problem.mask) drop(problem.mask, b, i, head + b.head(i), s + i * b.stride);
        if (o) blocks.end_row(b, i);
      }
      if (o) blocks.weigh(b, head, sum, o);
      for (std::int64_t i = 0; kept && i < b.rows; ++i) kept.as<T>()[b.query(i) * options.heads + head + b.head(i)] = log_sum_exp[i];
    });
  });
}

}  // namespace

template <class T>
void attention(const KernelArguments& args) {
  run<T, PlainBlocks<T>>(args, 1);
}

template <>
void attention<BFloat16>(const KernelArguments& args) {
  run<float, PanelBlocks>(args, AttentionPanelsScratch::kUnit);
}

template void attention<float>(const KernelArguments&);
template void attention<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
