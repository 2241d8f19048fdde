#include <algorithm>
#include <cstddef>

#include "engine/core/parallel.h"
#include "models/generate/score_processor.h"
#include "models/generate/search.h"
#include "models/generate/select.h"

namespace preamble {
namespace {

/// One sequence that is being generated.
struct Row {
  std::vector<std::int32_t> ids;
  std::size_t prompt_length;
  std::int32_t sequence;
  Random random;
  bool finished = false;
};

class TokenSearch {
 public:
  TokenSearch(Decoder& decoder, const SearchInput& input)
      : decoder_(decoder), config_(input.config), processors_(make_processors(input.config)) {
    const auto samples = static_cast<std::size_t>(config_.num_return_sequences);
    for (std::size_t i = 0; i < input.prompts.size(); ++i) {
      for (std::size_t k = 0; k < samples; ++k) {
        active_.push_back(rows_.size());
        source_.push_back(static_cast<std::int32_t>(i));
        rows_.push_back({input.prompts[i], input.prompts[i].size(), static_cast<std::int32_t>(i), input.random(i, k)});
      }
    }
    scratch_.resize(rewrites() ? rows_.size() * vocabulary() : 0);
  }

  std::vector<std::vector<std::int32_t>> run(std::span<const std::vector<std::int32_t>> prompts) {
    append(LogitRows(decoder_.prefill(prompts), prompts.size(), decoder_.vocabulary()));
    while (!active_.empty()) {
      const auto logits = decoder_.step(steps_);
      append(LogitRows(logits, steps_.size(), decoder_.vocabulary()));
    }
    std::vector<std::vector<std::int32_t>> sequences;
    for (auto& row : rows_) sequences.push_back(std::move(row.ids));
    return sequences;
  }

 private:
  [[nodiscard]] std::size_t vocabulary() const { return static_cast<std::size_t>(decoder_.vocabulary()); }
  [[nodiscard]] bool rewrites() const { return !processors_.empty(); }

  [[nodiscard]] std::int32_t choose(Row& row, std::span<const float> logits, std::span<float> scratch) const {
    std::span<const float> scores = logits;
    if (rewrites()) {
      const auto prompt_length = static_cast<std::int64_t>(row.prompt_length);
      std::copy(logits.begin(), logits.end(), scratch.begin());
      apply(processors_, {row.ids, length_floor(config_, prompt_length), length_limit(config_, prompt_length)}, scratch);
      scores = scratch;
    }
    return static_cast<std::int32_t>(config_.do_sample ? sample(scores, row.random) : argmax(scores));
  }

  [[nodiscard]] bool ended(const Row& row) const {
    const auto& ends = config_.eos_token_ids;
    return static_cast<std::int64_t>(row.ids.size()) >= length_limit(config_, static_cast<std::int64_t>(row.prompt_length)) ||
           std::find(ends.begin(), ends.end(), row.ids.back()) != ends.end();
  }

  /// Chooses a token for each active row from row `source_` of the logits, and prepares the next step of those that go on.
  void append(const LogitRows& logits) {
    const auto count = static_cast<std::int64_t>(active_.size());
    parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        Row& row = rows_[active_[i]];
        const auto scratch = rewrites() ? std::span<float>(scratch_).subspan(i * vocabulary(), vocabulary()) : std::span<float>();
        row.ids.push_back(choose(row, logits[static_cast<std::size_t>(source_[i])], scratch));
        row.finished = ended(row);
      }
    });
    steps_.clear();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      const Row& row = rows_[active_[i]];
      if (row.finished) continue;
      steps_.push_back({source_[i], row.ids.back(), row.sequence});
      active_[kept++] = active_[i];
    }
    active_.resize(kept);
    source_.resize(kept);
    for (std::size_t i = 0; i < kept; ++i) source_[i] = static_cast<std::int32_t>(i);
  }

  Decoder& decoder_;
  const GenerationConfig& config_;
  ScoreProcessors processors_;
  std::vector<Row> rows_;
  std::vector<std::size_t> active_;   // rows that go on
  std::vector<std::int32_t> source_;  // the logits row of each active row
  std::vector<StepRow> steps_;
  std::vector<float> scratch_;  // processed scores
};

}  // namespace

std::vector<std::vector<std::int32_t>> token_search(Decoder& decoder, const SearchInput& input) {
  return TokenSearch(decoder, input).run(input.prompts);
}

}  // namespace preamble
