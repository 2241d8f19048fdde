// Cached generation of what stands in blanks: what a search drives.
#pragma once

#include "models/blank_model.h"
#include "models/pool_decoder.h"

namespace preamble {

/// The sequences of `prefill` are texts and what of their pieces is known, the last of which is open (`opened`): the tokens that a search
/// appends stand at its blank. Prefixes are kept once a slot; rows of a prompt see the sequence, and are kept with it.
class BlankDecoder final : public PoolDecoder {
 public:
  BlankDecoder(BlankModel& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity);

 private:
  /// Where the open piece of a sequence stands.
  struct Piece {
    std::int32_t position = 0;  ///< of the first table
    std::int32_t block = 0;     ///< of the last token that was read
    std::int32_t rows = 0;      ///< of the whole sequence then
  };

  BlankDecoder(BlankModel& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity, const Conditioning& conditioning);

  [[nodiscard]] Value prefill_logits(Graph& graph, const Conditioning& conditioning, const CausalDecoderCapacity& capacity,
                                     std::vector<KeyValueCache>& caches) override;
  [[nodiscard]] Value step_logits(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                                  std::vector<KeyValueCache>& caches) override;
  [[nodiscard]] Segments feed_prompts(Session& session, std::span<const Ids> prompts, std::span<const std::int32_t> slots,
                                      const Conditioning& conditioning) override;
  void feed_tokens(Session& session, std::span<const StepRow> rows, std::span<const std::int32_t> slots,
                   std::span<const std::int32_t> lengths, const Conditioning& once) override;

  BlankModel& model_;
  std::vector<Piece> pieces_;
};

/// What `BlankDecoder::cache_bytes` will be. `conditioning` may belong to any graph.
[[nodiscard]] CacheNeed cache_need(const BlankModel& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity);

}  // namespace preamble
