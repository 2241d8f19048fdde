// BART (Lewis et al. 2020).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/bart/config.h"
#include "models/seq2seq_stack.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings (normalised, with positions), of attention probabilities, of what each sublayer adds. None
/// where `activation_dropout` and `layerdrop` have theirs, which are 0 there unless set.
class Bart final : public Seq2SeqStack {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `model.` or not.
  Bart(const BartConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors. The bias of the logits is never trained: it is no parameter in transformers either.
  [[nodiscard]] static std::unique_ptr<Bart> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const BartConfig& config() const noexcept { return config_; }

  [[nodiscard]] PositionTable positions() const noexcept override { return {config_.max_position_embeddings, BartConfig::kPositionOffset}; }
  [[nodiscard]] std::int32_t pad_id() const noexcept override { return static_cast<std::int32_t>(config_.pad_token_id); }
  [[nodiscard]] std::int32_t decoder_start_id() const noexcept override { return static_cast<std::int32_t>(config_.decoder_start_token_id); }

  Value head(Graph& graph, Value hidden) override;

 private:
  /// Token rows, with the scale of the embedding.
  [[nodiscard]] Value embed(Graph& graph, Value ids) override;
  /// Adds positions and normalises.
  [[nodiscard]] Value placed(Graph& graph, Value x, std::string_view stack, std::string_view positions) override;
  /// Bias of the logits [V]; undefined if the checkpoint has none.
  [[nodiscard]] Value logits_bias(Graph& graph);

  BartConfig config_;
  std::string prefix_;
  std::string head_name_;
};

}  // namespace preamble
