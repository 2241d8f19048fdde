// Cached generation with a model of one stack of layers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/runtime/session.h"
#include "models/cache_need.h"
#include "models/cache_rows.h"
#include "models/feeding.h"
#include "models/generate/decoder.h"
#include "models/generate/generation_config.h"
#include "models/key_value_cache.h"
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

/// Where a generation keeps virtual rows.
struct VirtualRows {
  Conditioning once;         ///< what is kept once a slot and read by all its sequences
  std::int64_t in_pool = 0;  ///< most rows that lie in the pool with each sequence
};

/// Two programs over one cache: `prefill` reads sequences, `step` continues them by one token. The cache is a pool of rows in which a beam
/// is a list of row numbers. Sequences lie there without padding, each as if it were alone. The programs are compiled when a `prefill`
/// finds none for what was prepared. Model, and what the conditioner reads, must outlive it.
class PoolDecoder : public Decoder {
 public:
  /// Slot of each sequence of the next `prefill`; without a call: slot 0 for all.
  void use_slots(std::vector<std::int32_t> slots) { slots_ = std::move(slots); }

  [[nodiscard]] std::int64_t vocabulary() const override { return model_.vocabulary(); }
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override;
  [[nodiscard]] ScoreRows prefill(std::span<const Ids> prompts, const ScoreQueries& queries) override;
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override;

  /// Bytes of all key/value caches.
  [[nodiscard]] std::int64_t cache_bytes() const noexcept;

 protected:
  PoolDecoder(LanguageModel& model, Conditioner conditioner, const CausalDecoderCapacity& capacity, Conditioning conditioning,
              VirtualRows virtual_rows);

  // What differs between families. Both graphs return logits, the first those of the last row of each sequence.

  [[nodiscard]] virtual Value prefill_logits(Graph& graph, const Conditioning& conditioning, const CausalDecoderCapacity& capacity,
                                             std::vector<KeyValueCache>& caches) = 0;
  /// `longest`: most cache rows of a history.
  [[nodiscard]] virtual Value step_logits(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                                          std::vector<KeyValueCache>& caches) = 0;
  /// Conditioning of the first graph, as `prefill_logits` wants it.
  [[nodiscard]] virtual Conditioning read_conditioning(Graph& /*graph*/, const Conditioning& conditioning) { return conditioning; }
  /// Feeds the sequences to the first program; returns the layout of the rows that the cache keeps.
  [[nodiscard]] virtual Segments feed_prompts(Session& session, std::span<const Ids> prompts, std::span<const std::int32_t> slots,
                                              const Conditioning& conditioning) = 0;
  /// Feeds the new tokens, and where they stand, to the second program. `lengths`: cache rows of each row, the new one included.
  virtual void feed_tokens(Session& session, std::span<const StepRow> rows, std::span<const std::int32_t> slots,
                           std::span<const std::int32_t> lengths, const Conditioning& once) = 0;

 private:
  void compile_programs();

  LanguageModel& model_;
  Conditioner conditioner_;
  CausalDecoderCapacity capacity_;
  Conditioning conditioning_;
  Conditioning once_;
  std::int64_t longest_;  ///< `capacity_.longest` with the virtual rows that lie in the pool
  PrefixCache prefixes_;
  std::vector<KeyValueCache> caches_;
  ScoreOutputs outputs_;
  std::unique_ptr<Session> prefill_;  ///< null until compiled, like `step_`
  std::unique_ptr<Session> step_;
  std::vector<std::int32_t> slots_;
  CacheRows rows_;
};

/// What `PoolDecoder::cache_bytes` will be.
[[nodiscard]] CacheNeed cache_need(const LanguageModel& model, const VirtualRows& virtual_rows, const CausalDecoderCapacity& capacity);

}  // namespace preamble
