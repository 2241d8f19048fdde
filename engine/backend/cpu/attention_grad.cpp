#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include "engine/backend/cpu/attention_lanes.h"
#include "engine/backend/cpu/attention_gradient_panels.h"
#include "engine/backend/cpu/attention_scores.h"
#include "engine/ops/attention.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// Sums and scores in T; `Operand`: what products read, T itself, or bf16 through `HeadPanels`.
template <class T, class Operand>
class Gradient {
  friend class GradientPanels<Gradient>;
  static constexpr bool kPanels = !std::is_same_v<T, Operand>;

 public:
  Gradient(const KernelArguments& args, const AttentionGrad& op)
      : problem_(args, op.options, kPanels ? AttentionPanelsScratch::kUnit : 1),
        output_gradient_(args.in[AttentionGrad::kOutputGradient]),
        log_sum_exp_(args.in[AttentionGrad::kLogSumExp].as<const T>()),
        output_(operand(args, AttentionGrad::kOutput)),
        dq_(args.out[Attention::kQuery]),
        dk_(args.out[Attention::kKey]),
        dv_(args.out[op.joint ? Attention::kKey : Attention::kValue]),
        dbias_(args.out[Attention::kBiasTable]),
        dprefix_k_(args.out[Attention::kPrefixKey]),
        dprefix_v_(args.out[Attention::kPrefixValue]),
        dposition_k_(args.out[Attention::kPositionKey]),
        dposition_q_(args.out[Attention::kPositionQuery]),
        joint_(op.joint),
        needs_scores_(dq_ || dk_ || dbias_ || dprefix_k_ || dposition_k_ || dposition_q_),
        sizes_(problem_.sizes()),
        scratch_(AttentionScratch::backward(op.options, sizes_,
                                            {.prefix = dprefix_k_ || dprefix_v_,
                                             .bias = bool(dbias_),
                                             .positions = dposition_k_ || dposition_q_,
                                             .keys_in_place = op.keys_in_place,
                                             .joint = op.joint})),
        workspace_(args.workspace),
        lanes_(lanes_of(scratch_, args.workspace_bytes)),
        parts_(args.parts) {
    problem_.relative = RelativeBias<T>::make(problem_.table, problem_.options, scratch_, workspace_);
    problem_.disentangled.list_rows(problem_.options, workspace_);
    std::byte* next = workspace_ + scratch_.bias + scratch_.buckets;
    const auto region = [&](std::int64_t bytes) { return std::exchange(next, next + bytes); };
    prefix_k_sums_ = reinterpret_cast<T*>(region(scratch_.prefix));
    prefix_v_sums_ = reinterpret_cast<T*>(region(scratch_.prefix));
    position_k_sums_ = reinterpret_cast<T*>(region(scratch_.positions));
    position_q_sums_ = reinterpret_cast<T*>(region(scratch_.positions));
    bias_sums_ = reinterpret_cast<double*>(next);
    // K's segments, and one more for queries that read none of them
    units_ = problem_.kv_segment != nullptr ? sizes_.k_segments + 1 : std::max(sizes_.q_segments, sizes_.k_segments);
  }

  void run() {
    // the gradients of prefixes are sums over units: those of each part of the batch are added up as if it were alone
    const bool cut = !parts_.empty() && problem_.kv_segment == nullptr && units_ == parts_.back() && (dprefix_k_ || dprefix_v_);
    if (!cut) {
      run_units(0, units_);
      return;
    }
    for (std::size_t i = 0; i + 1 < parts_.size(); ++i) run_units(parts_[i], parts_[i + 1]);
  }

 private:
  void run_units(std::int64_t first, std::int64_t last) {
    adds_ = first > 0;
    if (adds_ && first == last) return;
    first_ = first;
    units_ = last - first;
    chunks_ = std::min(scratch_.chunks, units_);
    const std::int64_t kv_heads = problem_.options.kv_heads;
    run_lanes(lanes_, chunks_ * kv_heads, [&](std::int64_t lane, std::int64_t task) { chunk(lane, task / kv_heads, task % kv_heads); });
    if (dprefix_k_) add_chunks(prefix_k_sums_, dprefix_k_);
    if (dprefix_v_) add_chunks(prefix_v_sums_, dprefix_v_);
    if (dposition_k_) add_chunks(position_k_sums_, dposition_k_);
    if (dposition_q_) add_chunks(position_q_sums_, dposition_q_);
    if (dbias_) add_chunks(bias_sums_, dbias_);
  }

  /// Columns of one key/value head in rows [first, first + rows) of a matrix.
  void clear(const View& matrix, T* data, std::int64_t first, std::int64_t rows, std::int64_t kv_head) const noexcept {
    for (std::int64_t r = first; r < first + rows; ++r) std::fill_n(data + r * matrix.width + kv_head * problem_.dim, problem_.dim, T(0));
  }

  /// Everything that segments of one group contribute through one key/value head. A segment of K belongs to one group, so
  /// nobody else writes its gradients.
  void chunk(std::int64_t lane, std::int64_t index, std::int64_t kv_head) const {
    const std::int64_t prefix_elements = index * sizes_.prefix_rows * sizes_.kv_width;
    T* dprefix_k = prefix_k_sums_ + prefix_elements;
    T* dprefix_v = prefix_v_sums_ + prefix_elements;
    if (dprefix_k_) clear(dprefix_k_, dprefix_k, 0, sizes_.prefix_rows, kv_head);
    if (dprefix_v_) clear(dprefix_v_, dprefix_v, 0, sizes_.prefix_rows, kv_head);
    Scratch s = scratch(lane, index);
    std::optional<GradientPanels<Gradient>> panels;
    if constexpr (kPanels) panels.emplace(*this, s);
    if (dposition_k_) clear(dposition_k_, s.position_k, 0, sizes_.positions, kv_head);
    if (dposition_q_) clear(dposition_q_, s.position_q, 0, sizes_.positions, kv_head);
    for (std::int64_t head = kv_head * problem_.group; head < (kv_head + 1) * problem_.group; ++head) {
      if (dbias_) {
        for (std::int64_t b = 0; b < sizes_.buckets; ++b) s.bias[b * problem_.options.heads + head] = 0;
      }
    }
    for (std::int64_t unit = first_ + index * units_ / chunks_; unit < first_ + (index + 1) * units_ / chunks_; ++unit) {
      const UnitGradients sums = begin_unit(unit, kv_head, s);
      for_segments(unit, [&](std::int32_t segment) {
        if constexpr (kPanels) panels->begin(segment, kv_head, sums);
        // gradients of a bias table are summed up head by head
        const std::int64_t together = kPanels && !dbias_ ? problem_.group : 1;
        for (std::int64_t head = kv_head * problem_.group; head < (kv_head + 1) * problem_.group; head += together) {
          if (dbias_) std::fill_n(s.distances, 2 * problem_.relative.reach + 1, 0.0);
          problem_.for_blocks(segment, head, together, [&](const QueryBlock& b, std::int64_t first_head) {
            if constexpr (kPanels) {
              panels->block(b, first_head, s);
            } else {
              block(b, first_head, s, sums, dprefix_k, dprefix_v);
            }
          });
          if (dbias_) fold_distances(head, s);
        }
        if constexpr (kPanels) panels->end(kv_head, sums, dprefix_k, dprefix_v);
      });
      end_unit(unit, kv_head, sums);
    }
  }

  struct Scratch {
    T* terms;           ///< products with a position table
    T* probabilities;   ///< a block of scores
    T* gradients;       ///< another: dP, then dS
    T* keys;            ///< sums of dK, [keys, d]
    T* values;          ///< sums of dV
    std::byte* panels;  ///< of bf16 numbers
    double* distances;  ///< Σ dS by clamped distance
    double* bias;       ///< [buckets, H] of the group
    T* position_k;      ///< [2·span, H·d] of the group; null if not wanted
    T* position_q;
  };

  /// Sums of dK and dV of one key/value head and one segment of K; null where they are not wanted.
  struct UnitGradients {
    T* keys = nullptr;
    T* values = nullptr;
    std::int64_t first = 0;  ///< row of K
    std::int64_t rows = 0, width = 0;
  };

  /// First element of one key/value head in the rows of a unit.
  [[nodiscard]] T* rows_of(const View& gradient, std::int64_t unit, std::int64_t kv_head) const noexcept {
    return gradient.as<T>() + problem_.k.layout->offsets[unit] * gradient.width + kv_head * problem_.dim;
  }

  /// Where keys and values may lie in the gradients' memory, sums are made in the lane.
  [[nodiscard]] UnitGradients begin_unit(std::int64_t unit, std::int64_t kv_head, const Scratch& s) const noexcept {
    UnitGradients sums;
    if (unit >= sizes_.k_segments) return sums;
    sums.first = problem_.k.layout->offsets[unit];
    sums.rows = problem_.k.layout->length(static_cast<std::int32_t>(unit));
    if (kPanels && scratch_.key_gradient == 0) {
      // written by the one segment that reads them, if there is one
      for (const View* gradient : {&dk_, &dv_}) {
        for (std::int64_t r = 0; *gradient && unit >= sizes_.q_segments && r < sums.rows; ++r) {
          store_zeros(*gradient, (sums.first + r) * gradient->width + kv_head * problem_.dim);
        }
      }
      return sums;
    }
    sums.width = scratch_.key_gradient > 0 ? problem_.dim : sizes_.kv_width;
    if (dk_) sums.keys = scratch_.key_gradient > 0 ? s.keys : rows_of(dk_, unit, kv_head);
    if (dv_) sums.values = scratch_.key_gradient > 0 ? (joint_ ? s.keys : s.values) : rows_of(dv_, unit, kv_head);
    for (T* sum : {sums.keys, sums.values}) {
      for (std::int64_t r = 0; sum != nullptr && r < sums.rows; ++r) std::fill_n(sum + r * sums.width, problem_.dim, T(0));
    }
    return sums;
  }

  /// Keys and values of the unit and head have been read for the last time.
  void end_unit(std::int64_t unit, std::int64_t kv_head, const UnitGradients& sums) const noexcept {
    if (scratch_.key_gradient == 0) return;
    const auto store_sums = [&](const T* sum, const View& gradient) {
      if (sum == nullptr) return;
      for (std::int64_t r = 0; r < sums.rows; ++r) {
        const std::int64_t row = problem_.k.layout->offsets[unit] + r;
        store(sum + r * sums.width, gradient, row * gradient.width + kv_head * problem_.dim, problem_.dim);
      }
    };
    store_sums(sums.keys, dk_);
    if (!joint_) store_sums(sums.values, dv_);
  }

  /// Calls body(segment) for the segments of Q that read a unit.
  template <class Body>
  void for_segments(std::int64_t unit, const Body& body) const {
    if (problem_.kv_segment == nullptr) {
      if (unit < sizes_.q_segments) body(static_cast<std::int32_t>(unit));
      return;
    }
    for (std::int32_t segment = 0; segment < sizes_.q_segments; ++segment) {
      if (problem_.key_segment(segment) == unit) body(segment);
    }
  }

  [[nodiscard]] Scratch scratch(std::int64_t lane, std::int64_t chunk_index) const noexcept {
    std::byte* at = workspace_ + scratch_.fixed + lane * scratch_.lane;
    const std::int64_t positions = chunk_index * sizes_.positions * sizes_.kv_width;
    Scratch s;
    s.terms = reinterpret_cast<T*>(at);
    s.probabilities = reinterpret_cast<T*>(at + scratch_.terms);
    s.gradients = reinterpret_cast<T*>(at + scratch_.terms + scratch_.block);
    s.keys = reinterpret_cast<T*>(at + scratch_.terms + 2 * scratch_.block);
    s.values = reinterpret_cast<T*>(at + scratch_.terms + 2 * scratch_.block + scratch_.key_gradient);
    s.panels = at + scratch_.terms + 2 * (scratch_.block + scratch_.key_gradient);
    s.distances = reinterpret_cast<double*>(s.panels + scratch_.panels);
    s.bias = bias_sums_ + chunk_index * sizes_.buckets * problem_.options.heads;
    s.position_k = dposition_k_ ? position_k_sums_ + positions : nullptr;
    s.position_q = dposition_q_ ? position_q_sums_ + positions : nullptr;
    return s;
  }

  void fold_distances(std::int64_t head, const Scratch& s) const noexcept {
    for (std::int64_t d = 0; d <= 2 * problem_.relative.reach; ++d) {
      s.bias[problem_.relative.buckets[d] * problem_.options.heads + head] += s.distances[d];
    }
  }

  void block(const QueryBlock& b, std::int64_t head, const Scratch& s, const UnitGradients& sums, T* dprefix_k, T* dprefix_v) const {
    scores(problem_, b, head, s.probabilities, s.terms);
    if (needs_scores_) times_keys(problem_, b, head, T(1), output_gradient_, problem_.prefix_v, problem_.v, s.gradients);
    for (std::int64_t i = 0; i < b.rows; ++i) row(b, i, head, s);
    const std::int64_t column = head / problem_.group * problem_.dim;
    const auto add_keys = [&](T alpha, const T* w, const View& x, T* own, const View& prefix, T* prefix_sums) {
      const T* rows = x.as<const T>() + b.first * x.width + head * problem_.dim;
      if (prefix) {
        const Block<T> to{prefix_sums + b.keys.prefix_first * prefix.width + column, prefix.width};
        add_outer(b, {alpha, w, b.keys.prefixes}, rows, x.width, to);
      }
      if (own != nullptr) add_outer(b, {alpha, w + b.keys.prefixes, b.keys.count}, rows, x.width, {own_rows(b, own, sums), sums.width});
    };
    add_keys(T(1), s.probabilities, output_gradient_, sums.values, dprefix_v_, dprefix_v);
    add_keys(problem_.scale, s.gradients, problem_.q, sums.keys, dprefix_k_, dprefix_k);
    // dO of these rows and this head has been read for the last time: dQ may lie there
    if (dq_) times_rows(problem_, b, head, problem_.scale, s.gradients, problem_.prefix_k, problem_.k, dq_);
    if (problem_.disentangled && b.keys.count > 0) {
      DisentangledTerms<T>(problem_, b, head, s.terms).add_gradients(s.gradients, dq_, {sums.keys, sums.width}, s.position_k, s.position_q);
    }
  }

  /// Sums of the first own key of a block, which may have left some behind.
  [[nodiscard]] T* own_rows(const QueryBlock& b, T* sums, const UnitGradients& of) const noexcept {
    return sums + (b.keys.first - problem_.k.layout->offsets[problem_.key_segment(b.segment)]) * of.width;
  }

  /// dO · O of one row and head: Σ P ∘ dP over all keys, whichever of them are seen here.
  [[nodiscard]] T output_product(std::int64_t row, std::int64_t head) const noexcept {
    const std::int64_t first = row * output_.width + head * problem_.dim;
    const auto* gradient = output_gradient_.as<const Operand>() + first;
    const auto* output = output_.as<const Operand>() + first;
    if constexpr (!kPanels) return dot(gradient, output, problem_.dim);
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < problem_.dim; ++c) sum += static_cast<T>(widen(gradient[c])) * static_cast<T>(widen(output[c]));
    return sum;
  }

  /// Scores and the gradients of what multiplies the values, of one row, become just that, M ∘ P, and dS = P ∘ (dP - Σ P ∘ dP).
  void row(const QueryBlock& b, std::int64_t i, std::int64_t head, const Scratch& s) const noexcept {
    const std::int64_t hidden = b.hidden[i];
    const std::int64_t seen = b.seen(i);
    T* p = s.probabilities + i * b.stride;
    T* d = s.gradients + i * b.stride;
    std::fill(p, p + hidden, T(0));
    std::fill(d, d + hidden, T(0));
    const T shift = log_sum_exp_[b.query(i) * problem_.options.heads + head];
    if constexpr (kPanels) {
      exp_padded_row(p + hidden, seen - hidden, b.stride - hidden, shift);
    } else {
      std::fill(p + seen, p + b.stride, T(0));
      exp_row(p + hidden, seen - hidden, shift);
    }
    const auto& mask = problem_.mask;
    if (mask) mark_dropped({b.segment, b.position[i], head}, b.keys.skipped, seen, p, d);
    if (needs_scores_) {
      std::fill(d + seen, d + b.stride, T(0));
      // zeros stand behind what is seen: panels take them along, up to a whole unit
      const std::int64_t whole = kPanels ? std::min((seen + 15) / 16 * 16, b.stride) : seen;
      const T mean = output_ ? output_product(b.query(i), head) : dot(p, d, whole);
#pragma omp simd
      for (std::int64_t j = 0; j < whole; ++j) d[j] = std::abs(p[j]) * (d[j] - mean);
    }
    if (mask) {
#pragma omp simd
      for (std::int64_t j = 0; j < seen; ++j) p[j] = mask.scale() * std::max(p[j], T(0));
    }
    if (!dbias_) return;
    if (problem_.options.prefix_has_positions) {
      problem_.relative.collect({nullptr, -b.keys.prefixes}, b.position[i], b.keys.prefixes, d, s.distances);
    }
    problem_.relative.collect(problem_.own_positions(b), b.position[i], b.visible[i], d + b.keys.prefixes, s.distances);
  }

  /// Applies the mask to dP, and makes P negative where it is zero: so nothing else needs the mask again.
  void mark_dropped(const ProbabilityRow& row, std::int64_t skipped, std::int64_t seen, T* p, T* d) const noexcept {
    problem_.mask.for_pieces(row, skipped, seen, [&](std::int64_t first, std::int64_t count, const T* factors) {
      if (needs_scores_) {
#pragma omp simd
        for (std::int64_t j = 0; j < count; ++j) d[first + j] *= factors[j];
      }
#pragma omp simd
      for (std::int64_t j = 0; j < count; ++j) p[first + j] = factors[j] == T(0) ? -p[first + j] : p[first + j];
    });
  }

  /// Some keys' columns of a block.
  struct KeyColumns {
    T alpha;
    const T* w;
    std::int64_t keys;
  };

  /// c [keys, dim] += alpha · wᵀ [keys, rows] · x [rows, dim]
  void add_outer(const QueryBlock& b, const KeyColumns& of, const T* x, std::int64_t x_width, const Block<T>& c) const {
    if (of.keys == 0) return;
    cpu::Gemm<T> p;
    p.m = of.keys, p.n = problem_.dim, p.k = b.rows;
    p.a = of.w, p.lda = b.stride, p.transpose_a = true;
    p.b = x, p.ldb = x_width;
    p.c = c.data, p.ldc = c.stride;
    p.alpha = of.alpha, p.beta = 1;
    product(p);
  }

  /// Writes elements [at, at + count) of a gradient, in its own type.
  static void store(const T* from, const View& to, std::int64_t at, std::int64_t count) noexcept {
    if constexpr (kPanels) {
      store_floats(from, to, at, count);
    } else {
      std::copy_n(from, count, to.as<T>() + at);
    }
  }

  /// Zeros for one head of a row of dK or dV.
  void store_zeros(const View& to, std::int64_t at) const noexcept {
    if (to.dtype == Dtype::bf16) {
      std::fill_n(to.as<BFloat16>() + at, problem_.dim, BFloat16{0});
    } else {
      std::fill_n(to.as<T>() + at, problem_.dim, T(0));
    }
  }

  [[nodiscard]] static T load(const View& from, std::int64_t at) noexcept {
    if constexpr (kPanels) {
      if (from.dtype == Dtype::bf16) return widen(from.as<const BFloat16>()[at]);
    }
    return from.as<const T>()[at];
  }

  /// to = Σ over chunks, in their order.
  template <class S>
  void add_chunks(const S* sums, const View& to) const {
    const std::int64_t count = to.count();
    parallel_for(count, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        S sum = adds_ ? static_cast<S>(load(to, i)) : S(0);
        for (std::int64_t c = 0; c < chunks_; ++c) sum += sums[c * count + i];
        const T total = static_cast<T>(sum);
        store(&total, to, i, 1);
      }
    });
  }

  AttentionProblem<T> problem_;
  View output_gradient_;
  const T* log_sum_exp_;
  View output_;
  View dq_, dk_, dv_, dbias_, dprefix_k_, dprefix_v_, dposition_k_, dposition_q_;
  bool joint_;
  bool needs_scores_;  ///< dS is needed, not P alone
  AttentionSizes sizes_;
  AttentionScratch scratch_;
  std::byte* workspace_;
  std::int64_t lanes_;
  std::span<const std::int32_t> parts_;
  std::int64_t first_ = 0, units_ = 0, chunks_ = 0;
  bool adds_ = false;
  T* prefix_k_sums_ = nullptr;
  T* prefix_v_sums_ = nullptr;
  T* position_k_sums_ = nullptr;
  T* position_q_sums_ = nullptr;
  double* bias_sums_ = nullptr;
};

}  // namespace

template <class T>
void attention_grad(const KernelArguments& args) {
  const auto& op = static_cast<const AttentionGrad&>(args.op);
  Gradient<T, T>(args, op).run();
}

template <>
void attention_grad<BFloat16>(const KernelArguments& args) {
  Gradient<float, BFloat16>(args, static_cast<const AttentionGrad&>(args.op)).run();
}

template void attention_grad<float>(const KernelArguments&);
template void attention_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
