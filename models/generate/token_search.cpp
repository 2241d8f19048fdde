#include <algorithm>
#include <cstddef>
#include <limits>

#include "engine/core/parallel.h"
#include "models/generate/score_processor.h"
#include "models/generate/score_reader.h"
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
      : decoder_(decoder),
        config_(input.config),
        processors_(make_processors(input.config)),
        request_(decoder.prepare(request_for(input.config, processors_, input.prompts, decoder.vocabulary()))),
        queries_(processors_, request_),
        memory_(request_, input.prompts.size() * static_cast<std::size_t>(input.config.num_return_sequences), decoder.vocabulary()) {
    const auto samples = static_cast<std::size_t>(config_.num_return_sequences);
    for (std::size_t i = 0; i < input.prompts.size(); ++i) {
      for (std::size_t k = 0; k < samples; ++k) {
        active_.push_back(rows_.size());
        source_.push_back(static_cast<std::int32_t>(i));
        rows_.push_back({input.prompts[i], input.prompts[i].size(), static_cast<std::int32_t>(i), input.random(i, k)});
      }
    }
  }

  std::vector<std::vector<std::int32_t>> run(std::span<const std::vector<std::int32_t>> prompts) {
    for (const auto& prompt : prompts) ask(prompt, prompt.size());
    append(decoder_.prefill(prompts, queries_.queries()), prompts.size());
    while (!active_.empty()) append(decoder_.step(steps_, queries_.queries()), steps_.size());
    std::vector<std::vector<std::int32_t>> sequences;
    for (auto& row : rows_) sequences.push_back(std::move(row.ids));
    return sequences;
  }

 private:
  [[nodiscard]] History history(std::span<const std::int32_t> ids, std::size_t prompt_length) const {
    const auto length = static_cast<std::int64_t>(prompt_length);
    return {ids, length_floor(config_, length), length_limit(config_, length)};
  }

  /// Adds the query of the row behind these tokens.
  void ask(std::span<const std::int32_t> ids, std::size_t prompt_length) { queries_.add(history(ids, prompt_length), 0); }

  [[nodiscard]] std::int32_t choose(Row& row, Scores scores) const {
    apply(processors_, history(row.ids, row.prompt_length), scores);
    if (config_.do_sample) return static_cast<std::int32_t>(sample(scores.values(), row.random));
    std::vector<Candidate> candidates;
    scores.add_candidates(1, 0, candidates);
    keep_best(candidates, 1);
    // where all scores are -inf, the first token
    const auto& best = candidates.front();
    return best.score > -std::numeric_limits<float>::infinity() ? static_cast<std::int32_t>(best.index) : 0;
  }

  [[nodiscard]] bool ended(const Row& row) const {
    const auto& ends = config_.eos_token_ids;
    return static_cast<std::int64_t>(row.ids.size()) >= length_limit(config_, static_cast<std::int64_t>(row.prompt_length)) ||
           std::find(ends.begin(), ends.end(), row.ids.back()) != ends.end();
  }

  /// Chooses a token for each active row from row `source_` of the scores, and prepares the next step of those that go on.
  void append(const ScoreRows& scores, std::size_t rows) {
    const ScoreReader reader(scores, request_, rows, decoder_.vocabulary());
    const auto count = static_cast<std::int64_t>(active_.size());
    parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        Row& row = rows_[active_[i]];
        const auto source = static_cast<std::size_t>(source_[i]);
        row.ids.push_back(choose(row, reader.read(source, queries_.asked(source), memory_, i)));
        row.finished = ended(row);
      }
    });
    queries_.clear();
    steps_.clear();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      const Row& row = rows_[active_[i]];
      if (row.finished) continue;
      steps_.push_back({source_[i], row.ids.back(), row.sequence});
      ask(row.ids, row.prompt_length);
      active_[kept++] = active_[i];
    }
    active_.resize(kept);
    source_.resize(kept);
    for (std::size_t i = 0; i < kept; ++i) source_[i] = static_cast<std::int32_t>(i);
  }

  Decoder& decoder_;
  const GenerationConfig& config_;
  ScoreProcessors processors_;
  ScoreRequest request_;
  QueryList queries_;
  ScoreMemory memory_;  // of each active row
  std::vector<Row> rows_;
  std::vector<std::size_t> active_;   // rows that go on
  std::vector<std::int32_t> source_;  // the row of scores of each active row
  std::vector<StepRow> steps_;
};

}  // namespace

std::vector<std::vector<std::int32_t>> token_search(Decoder& decoder, const SearchInput& input) {
  return TokenSearch(decoder, input).run(input.prompts);
}

}  // namespace preamble
