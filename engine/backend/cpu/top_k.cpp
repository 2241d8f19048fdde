#include "engine/ops/top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backend/cpu/softmax_loss.h"
#include "engine/backend/cpu/top_k_scratch.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

template <class T>
struct Scored {
  T score;
  std::int32_t index;
};

template <class T>
bool is_better(const Scored<T>& a, const Scored<T>& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

/// How a row's logits become scores. It never decreases, so that the largest of some logits has their largest score.
template <class T>
struct Scale {
  T largest = 0, log_sum = 0, offset = 0;

  [[nodiscard]] T plain(T logit) const noexcept { return logit - largest - log_sum; }
  [[nodiscard]] T score(T logit) const noexcept { return plain(logit) + offset; }
};

/// Entries that are asked for.
class Marks {
 public:
  Marks(std::uint64_t* words, std::int64_t entries, const std::int32_t* asked, std::int64_t count) noexcept : words_(words) {
    if (words_ == nullptr) return;
    std::fill_n(words_, (entries + 63) / 64, std::uint64_t{0});
    for (std::int64_t a = 0; a < count; ++a) {
      if (asked[a] >= 0) words_[asked[a] / 64] |= std::uint64_t{1} << (asked[a] % 64);
    }
  }
  [[nodiscard]] bool operator[](std::int64_t i) const noexcept {
    return words_ != nullptr && (words_[i / 64] >> static_cast<std::uint64_t>(i % 64) & 1U) != 0;
  }

 private:
  std::uint64_t* words_;
};

template <class T>
T largest_or_nan(const T* x, std::int64_t n) noexcept {
  int nan = 0;
#pragma omp simd reduction(| : nan)
  for (std::int64_t i = 0; i < n; ++i) nan |= x[i] != x[i] ? 1 : 0;
  return nan != 0 ? std::numeric_limits<T>::quiet_NaN() : largest_of(x, n);
}

/// The k best scores into `best`, sorted; returns how many there are. `best` is a heap whose front is the worst.
template <class T>
std::int64_t select(const T* x, std::int64_t n, const Scale<T>& scale, const Marks& marks, Scored<T>* best, std::int64_t k) noexcept {
  constexpr std::int64_t kBlock = 128;
  std::int64_t found = 0;
  for (std::int64_t first = 0; first < n; first += kBlock) {
    const std::int64_t end = std::min(first + kBlock, n);
    // an entry that equals the worst comes behind it
    if (found == k && !(scale.score(largest_of(x + first, end - first)) > best[0].score)) continue;
    for (std::int64_t i = first; i < end; ++i) {
      const T score = scale.score(x[i]);
      const bool is_number = score == score;
      if (!is_number || (found == k && !(score > best[0].score)) || marks[i]) continue;
      if (found == k) std::pop_heap(best, best + k, is_better<T>);
      else ++found;
      best[found - 1] = {score, static_cast<std::int32_t>(i)};
      std::push_heap(best, best + found, is_better<T>);
    }
  }
  std::sort_heap(best, best + found, is_better<T>);
  return found;
}

}  // namespace

template <class T>
void top_k(const KernelArguments& args) {
  const auto& op = static_cast<const TopK&>(args.op);
  const View& logits = args.in[TopK::kLogits];
  const View& asked = args.in[TopK::kAsked];
  const View& offset = args.in[TopK::kOffset];
  T* scores = args.out[TopK::kScores].as<T>();
  std::int32_t* index = args.out[TopK::kIndex].as<std::int32_t>();
  T* largest = args.out[TopK::kLargest].as<T>();
  T* log_sum = args.out[TopK::kLogSum].as<T>();
  T* asked_scores = asked ? args.out[TopK::kAskedScores].as<T>() : nullptr;
  const std::int64_t n = logits.width;
  const std::int64_t k = op.count;
  const auto scratch = TopKScratch::of(n, k, static_cast<bool>(asked), sizeof(T));
  constexpr T kNone = -std::numeric_limits<T>::infinity();
  parallel_for(logits.rows, rows_a_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* x = logits.as<T>() + r * n;
      const T top = largest_or_nan(x, n);
      if (largest != nullptr) largest[r] = top;
      Scale<T> scale;
      if (op.normalises || log_sum != nullptr) {
        const T sum = static_cast<T>(std::log(sum_of_exponentials<false, T>(x, top, nullptr, n)));
        if (log_sum != nullptr) log_sum[r] = sum;
        if (op.normalises) scale = {top, sum, 0};
      }
      const std::int32_t* wanted = asked ? asked.as<std::int32_t>() + r * asked.width : nullptr;
      for (std::int64_t a = 0; asked_scores != nullptr && a < asked.width; ++a) {
        asked_scores[r * asked.width + a] = wanted[a] < 0 ? kNone : scale.plain(x[wanted[a]]);
      }
      if (scores == nullptr && index == nullptr) continue;
      if (offset) scale.offset = offset.as<T>()[r];
      std::byte* memory = args.workspace + r * scratch.row();
      const Marks marks(asked ? reinterpret_cast<std::uint64_t*>(memory) : nullptr, n, wanted, asked.width);
      auto* best = reinterpret_cast<Scored<T>*>(memory + scratch.marks);
      const std::int64_t found = select(x, n, scale, marks, best, k);
      for (std::int64_t i = 0; i < k; ++i) {
        if (scores != nullptr) scores[r * k + i] = i < found ? best[i].score : kNone;
        if (index != nullptr) index[r * k + i] = i < found ? best[i].index : -1;
      }
    }
  });
}

template void top_k<float>(const KernelArguments&);
template void top_k<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
