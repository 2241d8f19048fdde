#include "data/metrics/ter.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "data/metrics/edit_distance.h"
#include "data/metrics/text.h"

namespace preamble::metrics {
namespace {

constexpr std::int64_t kBeam = 25;
constexpr std::size_t kLongestShift = 10;
constexpr std::size_t kFarthestShift = 50;
constexpr std::size_t kMostCandidates = 1000;

/// Where the words stand against each other after the edits.
struct Alignment {
  /// For each word of the reference the hypothesis position it is aligned with, or the last one before it (-1: none).
  std::vector<std::ptrdiff_t> position;
  std::vector<bool> reference_wrong;
  std::vector<bool> hypothesis_wrong;
};

Alignment align(const std::vector<Edit>& edits) {
  Alignment alignment;
  std::ptrdiff_t last = -1;
  for (const Edit edit : edits) {
    const bool wrong = edit != Edit::keep;
    if (edit != Edit::insert) {
      ++last;
      alignment.hypothesis_wrong.push_back(wrong);
    }
    if (edit != Edit::erase) {
      alignment.position.push_back(last);
      alignment.reference_wrong.push_back(wrong);
    }
  }
  return alignment;
}

bool any_wrong(const std::vector<bool>& wrong, std::size_t first, std::size_t length) {
  const auto begin = wrong.begin() + static_cast<std::ptrdiff_t>(first);
  return std::find(begin, begin + static_cast<std::ptrdiff_t>(length), true) != begin + static_cast<std::ptrdiff_t>(length);
}

/// The block of `length` words at `start` moved to before position `target` (counted before the move).
Tokens shifted(const Tokens& words, std::size_t start, std::size_t length, std::size_t target) {
  Tokens result = words;
  const auto at = [&](std::size_t i) { return result.begin() + static_cast<std::ptrdiff_t>(i); };
  if (target < start) {
    std::rotate(at(target), at(start), at(start + length));
  } else if (target > start + length) {
    std::rotate(at(start), at(start + length), at(target));
  } else {
    // a target inside of the block counts from the block's beginning in what remains
    std::rotate(at(start), at(start + length), at(std::min(length + target, words.size())));
  }
  return result;
}

/// A shift and how tercom ranks it: fewer edits, then longer, then earlier in the hypothesis, then earlier target.
struct Candidate {
  std::int64_t gain = 0;
  std::size_t length = 0;
  std::size_t start = 0;
  std::size_t target = 0;
  Tokens words;

  [[nodiscard]] bool better_than(const Candidate& other) const {
    return std::tie(gain, length, other.start, other.target, words) > std::tie(other.gain, other.length, start, target, other.words);
  }
};

/// One round of the greedy search: the best shift of a block that also occurs in the reference.
class ShiftSearch {
 public:
  ShiftSearch(const Tokens& words, const Tokens& reference, BeamEditDistance& distance, std::size_t& tried)
      : words_(words),
        reference_(reference),
        distance_(distance),
        tried_(tried),
        before_(distance(words)),
        alignment_(align(distance.edits())) {}

  [[nodiscard]] Candidate best() {
    for (std::size_t start = 0; start < words_.size(); ++start) {
      for (std::size_t goal = 0; goal < reference_.size(); ++goal) {
        if (std::max(start, goal) - std::min(start, goal) > kFarthestShift) continue;
        for (std::size_t length = 1; length <= kLongestShift && matches(start, goal, length); ++length) {
          try_block(start, goal, length);
          if (tried_ >= kMostCandidates) return std::move(best_);
        }
      }
    }
    return std::move(best_);
  }

 private:
  [[nodiscard]] bool matches(std::size_t start, std::size_t goal, std::size_t length) const {
    return start + length <= words_.size() && goal + length <= reference_.size() &&
           words_[start + length - 1] == reference_[goal + length - 1];
  }

  /// Tries the places next to where the reference has the block.
  void try_block(std::size_t start, std::size_t goal, std::size_t length) {
    if (!any_wrong(alignment_.hypothesis_wrong, start, length) || !any_wrong(alignment_.reference_wrong, goal, length)) return;
    const std::ptrdiff_t aligned = alignment_.position[goal];
    if (aligned >= static_cast<std::ptrdiff_t>(start) && aligned < static_cast<std::ptrdiff_t>(start + length)) return;
    std::ptrdiff_t last = -1;
    for (std::size_t offset = 0; offset <= length; ++offset) {
      // before the first word of the block's place, then after each of its words
      const std::ptrdiff_t target = goal + offset == 0 ? 0 : alignment_.position[goal + offset - 1] + 1;
      if (target == last) continue;
      last = target;
      consider(start, length, static_cast<std::size_t>(target));
    }
  }

  void consider(std::size_t start, std::size_t length, std::size_t target) {
    Candidate candidate{0, length, start, target, shifted(words_, start, length, target)};
    candidate.gain = before_ - distance_(candidate.words);
    ++tried_;
    if (best_.words.empty() || candidate.better_than(best_)) best_ = std::move(candidate);
  }

  const Tokens& words_;
  const Tokens& reference_;
  BeamEditDistance& distance_;
  std::size_t& tried_;
  std::int64_t before_;
  Alignment alignment_;
  Candidate best_;
};

Tokens ter_tokens(std::string_view text, const TerOptions& options) {
  return split_whitespace(options.case_sensitive ? std::string(text) : lowered(text));
}

}  // namespace

std::int64_t translation_edits(const Tokens& hypothesis, const Tokens& reference) {
  if (reference.empty()) return static_cast<std::int64_t>(hypothesis.size());
  BeamEditDistance distance(reference, hypothesis.size(), kBeam);
  Tokens words = hypothesis;
  std::int64_t shifts = 0;
  for (std::size_t tried = 0;; ++shifts) {
    Candidate best = ShiftSearch(words, reference, distance, tried).best();
    if (tried >= kMostCandidates || best.gain <= 0) return shifts + distance(words);
    words = std::move(best.words);
  }
}

TerScore ter(const Corpus& corpus, const TerOptions& options) {
  require_scorable(corpus, "ter");
  TerScore result;
  for (const Instance& instance : corpus) {
    const Tokens hypothesis = ter_tokens(instance.hypothesis, options);
    std::int64_t fewest = 0;
    std::size_t words = 0;
    for (std::size_t i = 0; i < instance.references.size(); ++i) {
      const Tokens reference = ter_tokens(instance.references[i], options);
      const std::int64_t edits = translation_edits(hypothesis, reference);
      fewest = i == 0 ? edits : std::min(fewest, edits);
      words += reference.size();
    }
    result.edits += fewest;
    result.reference_length += static_cast<double>(words) / static_cast<double>(instance.references.size());
  }
  if (result.reference_length > 0.0) {
    result.score = 100.0 * static_cast<double>(result.edits) / result.reference_length;
  } else {
    result.score = result.edits > 0 ? 100.0 : 0.0;
  }
  return result;
}

}  // namespace preamble::metrics
