#include <cstddef>

#include "engine/core/parallel.h"
#include "models/generate/beams.h"
#include "models/generate/score_processor.h"
#include "models/generate/score_reader.h"
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
        processors_(make_processors(input.config)),
        request_(decoder.prepare(request_for(input.config, processors_, input.prompts, decoder.vocabulary()))),
        queries_(processors_, request_),
        memory_(request_, input.prompts.size() * beams_, decoder.vocabulary()) {
    for (std::size_t i = 0; i < input.prompts.size(); ++i) {
      const auto length = static_cast<std::int64_t>(input.prompts[i].size());
      sequences_.push_back(
          {Beams(config_, input.prompts[i]), length_floor(config_, length), length_limit(config_, length), input.random(i, 0), i});
      active_.push_back(i);
    }
    scores_.resize(sequences_.size() * beams_);
    candidates_.resize(sequences_.size());
    weights_.resize(sequences_.size());
  }

  std::vector<std::vector<std::int32_t>> run(std::span<const std::vector<std::int32_t>> prompts) {
    // the beams of a sequence share a row, so their scores are added here
    for (const auto& sequence : sequences_) queries_.add(history(sequence, 0), 0);
    advance(decoder_.prefill(prompts, queries_.queries()), prompts.size(), 0);
    while (!active_.empty()) advance(decoder_.step(steps_, queries_.queries()), steps_.size(), 1);
    std::vector<std::vector<std::int32_t>> found;
    for (const auto& sequence : sequences_) {
      for (auto& ids : sequence.beams.best(static_cast<std::size_t>(config_.num_return_sequences))) found.push_back(std::move(ids));
    }
    return found;
  }

 private:
  [[nodiscard]] static History history(const Sequence& sequence, std::size_t beam) {
    return {sequence.beams.ids(beam), sequence.length_floor, sequence.length_limit};
  }

  /// Scores of the continuations of all beams, one step of each sequence, and the rows of the next one. `stride` is 1 if each beam has a
  /// row, else 0.
  void advance(const ScoreRows& returned, std::size_t count, std::size_t stride) {
    const ScoreReader reader(returned, request_, count, decoder_.vocabulary());
    const auto rows = static_cast<std::int64_t>(active_.size() * beams_);
    parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) score(reader, r, stride);
    });
    parallel_for(static_cast<std::int64_t>(active_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto a = static_cast<std::size_t>(begin); a < static_cast<std::size_t>(end); ++a) choose(a);
    });
    prepare(stride);
  }

  void score(const ScoreReader& reader, std::size_t r, std::size_t stride) {
    const auto& sequence = sequences_[active_[r / beams_]];
    const std::size_t beam = r % beams_;
    const std::size_t row = sequence.first_row + stride * beam;
    const auto asked = queries_.asked(row);
    Scores& scores = scores_[r];
    scores = reader.read(row, asked, memory_, r);
    apply(processors_, history(sequence, beam), scores);
    // the decoder has added it to the best scores of a beam's own row
    const bool is_added = request_.best > 0 && stride > 0;
    const float so_far = sequence.beams.score(beam);
    for (float& x : is_added ? scores.values().first(asked.size()) : scores.values()) x += so_far;
  }

  void choose(std::size_t a) {
    auto& sequence = sequences_[active_[a]];
    const std::int64_t vocabulary = decoder_.vocabulary();
    const auto count = static_cast<std::size_t>(candidate_count(config_));
    if (config_.do_sample) {
      sample_distinct(memory_.values(a * beams_, beams_), count, sequence.random, candidates_[a], weights_[a]);
    } else {
      candidates_[a].clear();
      for (std::size_t b = 0; b < beams_; ++b) {
        scores_[a * beams_ + b].add_candidates(count, static_cast<std::int64_t>(b) * vocabulary, candidates_[a]);
      }
      keep_best(candidates_[a], count);
    }
    sequence.beams.advance(candidates_[a], vocabulary);
  }

  /// The next step's rows, for the sequences that are not done.
  void prepare(std::size_t stride) {
    steps_.clear();
    queries_.clear();
    std::size_t kept = 0;
    for (const std::size_t index : active_) {
      auto& sequence = sequences_[index];
      if (sequence.beams.done()) continue;
      const std::size_t first_row = steps_.size();
      for (std::size_t b = 0; b < beams_; ++b) {
        const auto parent = sequence.first_row + stride * static_cast<std::size_t>(sequence.beams.parent(b));
        steps_.push_back({static_cast<std::int32_t>(parent), sequence.beams.ids(b).back(), static_cast<std::int32_t>(index)});
        queries_.add(history(sequence, b), sequence.beams.score(b));
      }
      sequence.first_row = first_row;
      active_[kept++] = index;
    }
    active_.resize(kept);
  }

  Decoder& decoder_;
  const GenerationConfig& config_;
  std::size_t beams_;
  ScoreProcessors processors_;
  ScoreRequest request_;
  QueryList queries_;
  ScoreMemory memory_;  // [active, beams]
  std::vector<Sequence> sequences_;
  std::vector<std::size_t> active_;  // sequences that go on
  std::vector<StepRow> steps_;
  std::vector<Scores> scores_;                      // [active, beams], in that memory
  std::vector<std::vector<Candidate>> candidates_;  // of each active sequence
  std::vector<std::vector<float>> weights_;         // scratch of sampling
};

}  // namespace

std::vector<std::vector<std::int32_t>> beam_search(Decoder& decoder, const SearchInput& input) {
  return BeamSearch(decoder, input).run(input.prompts);
}

}  // namespace preamble
