#include <cstddef>

#include "engine/core/parallel.h"
#include "models/generate/beams.h"
#include "models/generate/score_processor.h"
#include "models/generate/search.h"
#include "models/generate/select.h"

namespace preamble {
namespace {

/// One sequence that is being searched.
struct Sequence {
  Beams beams;
  std::int64_t length_floor;
  std::int64_t length_limit;
  Random random;
  /// Row of its first beam in the last call; before the first step all beams share the row of the prompt.
  std::size_t first_row;
};

class BeamSearch {
 public:
  BeamSearch(Decoder& decoder, const SearchInput& input)
      : decoder_(decoder),
        config_(input.config),
        beams_(static_cast<std::size_t>(input.config.num_beams)),
        vocabulary_(static_cast<std::size_t>(decoder.vocabulary())),
        processors_(make_processors(input.config)) {
    for (std::size_t i = 0; i < input.prompts.size(); ++i) {
      const auto length = static_cast<std::int64_t>(input.prompts[i].size());
      sequences_.push_back(
          {Beams(config_, input.prompts[i]), length_floor(config_, length), length_limit(config_, length), input.random(i, 0), i});
      active_.push_back(i);
    }
    scores_.resize(sequences_.size() * beams_ * vocabulary_);
    candidates_.resize(sequences_.size());
    weights_.resize(sequences_.size());
  }

  std::vector<std::vector<std::int32_t>> run(std::span<const std::vector<std::int32_t>> prompts) {
    advance(LogitRows(decoder_.prefill(prompts), prompts.size(), decoder_.vocabulary()), 0);
    prepare(0);
    while (!active_.empty()) {
      const auto logits = decoder_.step(steps_);
      advance(LogitRows(logits, steps_.size(), decoder_.vocabulary()), 1);
      prepare(1);
    }
    std::vector<std::vector<std::int32_t>> found;
    for (const auto& sequence : sequences_) {
      for (auto& ids : sequence.beams.best(static_cast<std::size_t>(config_.num_return_sequences))) found.push_back(std::move(ids));
    }
    return found;
  }

 private:
  /// Scores [active, beams, V] of all continuations, then one step of each sequence. `stride` is 1 if each beam has a row, else 0.
  void advance(const LogitRows& logits, std::size_t stride) {
    const auto rows = static_cast<std::int64_t>(active_.size() * beams_);
    parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
        const auto& sequence = sequences_[active_[r / beams_]];
        score(sequence, r % beams_, logits[sequence.first_row + stride * (r % beams_)],
              std::span(scores_).subspan(r * vocabulary_, vocabulary_));
      }
    });
    parallel_for(static_cast<std::int64_t>(active_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto a = static_cast<std::size_t>(begin); a < static_cast<std::size_t>(end); ++a) choose(a);
    });
  }

  void score(const Sequence& sequence, std::size_t beam, std::span<const float> logits, std::span<float> out) const {
    log_softmax(logits, out);
    apply(processors_, {sequence.beams.ids(beam), sequence.length_floor, sequence.length_limit}, out);
    const float so_far = sequence.beams.score(beam);
    for (float& x : out) x += so_far;
  }

  void choose(std::size_t a) {
    auto& sequence = sequences_[active_[a]];
    const auto scores = std::span<const float>(scores_).subspan(a * beams_ * vocabulary_, beams_ * vocabulary_);
    const auto count = static_cast<std::size_t>(candidate_count(config_));
    if (config_.do_sample) {
      sample_distinct(scores, count, sequence.random, candidates_[a], weights_[a]);
    } else {
      largest(scores, count, candidates_[a]);
    }
    sequence.beams.advance(candidates_[a], decoder_.vocabulary());
  }

  /// The next step's rows, for the sequences that are not done.
  void prepare(std::size_t stride) {
    steps_.clear();
    std::size_t kept = 0;
    for (const std::size_t index : active_) {
      auto& sequence = sequences_[index];
      if (sequence.beams.done()) continue;
      const std::size_t first_row = steps_.size();
      for (std::size_t b = 0; b < beams_; ++b) {
        const auto parent = sequence.first_row + stride * static_cast<std::size_t>(sequence.beams.parent(b));
        steps_.push_back({static_cast<std::int32_t>(parent), sequence.beams.ids(b).back(), static_cast<std::int32_t>(index)});
      }
      sequence.first_row = first_row;
      active_[kept++] = index;
    }
    active_.resize(kept);
  }

  Decoder& decoder_;
  const GenerationConfig& config_;
  std::size_t beams_;
  std::size_t vocabulary_;
  ScoreProcessors processors_;
  std::vector<Sequence> sequences_;
  std::vector<std::size_t> active_;  // sequences that go on
  std::vector<StepRow> steps_;
  std::vector<float> scores_;                       // [active, beams, V]
  std::vector<std::vector<Candidate>> candidates_;  // of each active sequence
  std::vector<std::vector<float>> weights_;         // scratch of sampling
};

}  // namespace

std::vector<std::vector<std::int32_t>> beam_search(Decoder& decoder, const SearchInput& input) {
  return BeamSearch(decoder, input).run(input.prompts);
}

}  // namespace preamble
