// Cached generation with a decoder-only model: what a search drives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/runtime/session.h"
#include "models/cache_need.h"
#include "models/causal_batch.h"
#include "models/causal_lm.h"
#include "models/generate/decoder.h"
#include "models/generate/generation_config.h"
#include "models/prefix_cache.h"
#include "models/score_outputs.h"

namespace preamble {

/// Sizes of caches and programs. Virtual tokens are not counted.
struct CausalDecoderCapacity {
  std::int64_t sequences = 1;
  std::int64_t prompt_tokens = 1;  ///< of all sequences
  /// Rows of one sequence that live at a time: beams, or returned samples.
  std::int64_t beams = 1;
  std::int64_t longest = 1;     ///< tokens of the longest sequence at its end
  std::int64_t new_tokens = 1;  ///< most that a sequence may grow

  /// Tokens that all beams can make.
  [[nodiscard]] std::int64_t generated_tokens() const noexcept { return sequences * beams * new_tokens; }

  /// What continuing these sequences takes.
  [[nodiscard]] static CausalDecoderCapacity of(std::span<const Ids> prompts, const GenerationConfig& config);
};

/// Two programs over one cache: a pool of rows in which a beam is a list of row numbers. Sequences lie there without padding, each as
/// if it were alone; the keys and values of a prompt or prefix are computed and kept once per slot and read by all sequences and beams.
/// An infix stands in front of the last token of each sequence that is given; one of embeddings sees the sequence, and is kept with it.
/// The programs are compiled when a `prefill` finds none for what was prepared. Model, and what the conditioner reads, must outlive it.
class CausalDecoder final : public Decoder {
 public:
  CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity);

  /// Slot of each sequence of the next `prefill`; without a call: slot 0 for all.
  void use_slots(std::vector<std::int32_t> slots) { slots_ = std::move(slots); }

  [[nodiscard]] std::int64_t vocabulary() const override { return model_.vocabulary(); }
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override;
  [[nodiscard]] ScoreRows prefill(std::span<const Ids> prompts, const ScoreQueries& queries) override;
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override;

  /// Bytes of all key/value caches.
  [[nodiscard]] std::int64_t cache_bytes() const noexcept;

 private:
  using History = std::vector<std::int32_t>;

  void compile_programs();
  [[nodiscard]] std::shared_ptr<const Program> compile_prefill();
  [[nodiscard]] std::shared_ptr<const Program> compile_step();
  /// Cache row of each token of the batch, and of each row of an infix of embeddings; starts the histories.
  [[nodiscard]] Ids places_of(const CausalBatch& batch);
  void feed_step(std::span<const StepRow> rows);

  CausalLm& model_;
  Conditioner conditioner_;
  CausalDecoderCapacity capacity_;  ///< `longest` with an infix of embeddings
  Conditioning conditioning_;
  Conditioning seen_;  ///< what a step reads of it: a prompt as the prefix that it amounts to
  PrefixCache prefixes_;
  std::vector<KeyValueCache> caches_;
  ScoreOutputs outputs_;
  std::unique_ptr<Session> prefill_;  ///< null until compiled, like `step_`
  std::unique_ptr<Session> step_;
  std::vector<std::int32_t> slots_;
  std::int32_t next_place_ = 0;
  std::vector<History> histories_;
};

/// What `CausalDecoder::cache_bytes` will be. `conditioning` may belong to any graph.
[[nodiscard]] CacheNeed cache_need(const CausalLm& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity);

}  // namespace preamble
