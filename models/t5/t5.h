// T5 v1.0 and v1.1 (Raffel et al. 2020), mT5 (Xue et al. 2021) and UMT5 (Chung et al. 2023).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/seq2seq_stack.h"
#include "models/t5/config.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings, of attention probabilities, of what attention and feed-forward add, between activation
/// and second map of the feed-forward, of both stacks' normalised outputs.
class T5 final : public Seq2SeqStack {
 public:
  /// Checks nothing beyond the names until a graph is built. The embedding is `shared`, or the copy of it that the checkpoint has.
  T5(const T5Config& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<T5> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const T5Config& config() const noexcept { return config_; }
  [[nodiscard]] bool tied() const noexcept { return tied_; }

  [[nodiscard]] std::int32_t pad_id() const noexcept override { return static_cast<std::int32_t>(config_.pad_token_id); }
  [[nodiscard]] std::int32_t decoder_start_id() const noexcept override { return static_cast<std::int32_t>(config_.decoder_start_token_id); }

  Value head(Graph& graph, Value hidden) override;

 private:
  [[nodiscard]] Value embed(Graph& graph, Value ids) override;

  T5Config config_;
  bool tied_ = false;
};

}  // namespace preamble
