// Cached generation with a decoder-only model: what a search drives.
#pragma once

#include "models/causal_lm.h"
#include "models/pool_decoder.h"

namespace preamble {

/// Keys and values of a prompt or prefix are computed and kept once a slot. An infix stands in front of the last token of each sequence
/// that is given; one of embeddings sees the sequence, and is kept with it.
class CausalDecoder final : public PoolDecoder {
 public:
  CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity);

 private:
  CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity, const Conditioning& conditioning);

  [[nodiscard]] Value prefill_logits(Graph& graph, const Conditioning& conditioning, const CausalDecoderCapacity& capacity,
                                     std::vector<KeyValueCache>& caches) override;
  [[nodiscard]] Value step_logits(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                                  std::vector<KeyValueCache>& caches) override;
  [[nodiscard]] Conditioning read_conditioning(Graph& graph, const Conditioning& conditioning) override;
  [[nodiscard]] Segments feed_prompts(Session& session, std::span<const Ids> prompts, std::span<const std::int32_t> slots,
                                      const Conditioning& conditioning) override;
  void feed_tokens(Session& session, std::span<const StepRow> rows, std::span<const std::int32_t> slots,
                   std::span<const std::int32_t> lengths, const Conditioning& once) override;

  CausalLm& model_;
  double longest_behind_prompt_ = 0;  ///< of the compiled programs
};

/// What `CausalDecoder::cache_bytes` will be. `conditioning` may belong to any graph.
[[nodiscard]] CacheNeed cache_need(const CausalLm& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity);

}  // namespace preamble
