// Cached generation with an encoder-decoder: what a search drives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/runtime/session.h"
#include "models/cache_need.h"
#include "models/cache_rows.h"
#include "models/encoder_decoder.h"
#include "models/generate/decoder.h"
#include "models/prefix_cache.h"
#include "models/score_outputs.h"
#include "models/seq2seq_batch.h"

namespace preamble {

struct DecoderCapacity {
  std::int64_t sequences = 1;
  std::int64_t source_rows = 1;
  /// Rows of one sequence that live at a time: beams, or returned samples.
  std::int64_t beams = 1;
  /// Tokens of the longest sequence, start token included.
  std::int64_t longest = 1;

  /// Decoder tokens of all beams.
  [[nodiscard]] std::int64_t generated_tokens() const noexcept { return sequences * beams * longest; }
};

/// Two programs over one cache. Keys and values of the encoder's output, prompts included, are computed and kept once per
/// source and read by all its beams, those of prefixes once per slot; the self-attention cache is a pool of rows, and a beam is a list of row numbers.
/// The step's program is compiled when a `prefill` finds none for what was prepared. The model must outlive it.
class Seq2SeqDecoder final : public Decoder {
 public:
  Seq2SeqDecoder(EncoderDecoder& model, const Conditioner& conditioner, const DecoderCapacity& capacity);

  /// Reads the sources (and slots) of a batch; `prefill` then starts their targets. Throws ShapeError beyond the capacity.
  void encode(const Seq2SeqBatch& batch);

  [[nodiscard]] std::int64_t vocabulary() const override { return model_.vocabulary(); }
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override;
  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) override;
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override;

  /// Bytes of all key/value caches.
  [[nodiscard]] std::int64_t cache_bytes() const noexcept;

 private:
  [[nodiscard]] std::shared_ptr<const Program> compile_prefill(const Conditioner& conditioner);
  [[nodiscard]] std::shared_ptr<const Program> compile_step();
  /// The step's program, compiled and with the layouts of the sources.
  void begin_steps();
  void feed_tokens(std::span<const StepRow> rows);

  EncoderDecoder& model_;
  DecoderCapacity capacity_;
  Conditioning conditioning_;
  PrefixCache prefixes_;
  std::vector<LayerCache> caches_;
  std::unique_ptr<Session> encoder_;
  ScoreOutputs outputs_;
  std::unique_ptr<Session> step_;  ///< null until compiled
  Segments encoded_;               ///< the encoder's rows
  std::vector<std::int32_t> slots_;
  CacheRows rows_;
  ScoreTable prefilled_;
};

/// What `Seq2SeqDecoder::cache_bytes` will be. `conditioning` may belong to any graph.
[[nodiscard]] CacheNeed cache_need(const EncoderDecoder& model, const Conditioning& conditioning, const DecoderCapacity& capacity);

}  // namespace preamble
