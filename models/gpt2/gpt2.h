// GPT-2 (Radford et al. 2019).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "models/causal_lm.h"
#include "models/gpt2/config.h"

namespace preamble {

struct InsertionCapacity;

/// Dropout, as in transformers: of embeddings with positions, of attention probabilities, of what attention and feed-forward add.
class Gpt2 final : public CausalLm {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `transformer.` or not.
  Gpt2(const Gpt2Config& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<Gpt2> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const Gpt2Config& config() const noexcept { return config_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.n_embd; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
  [[nodiscard]] PositionTable positions() const noexcept override { return {config_.n_positions, 0}; }
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }

  PromptPass read_prompt(Graph& graph, const PromptRows& prompt, const DropoutRates& dropout) override;
  Value decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) override;
  Value head(Graph& graph, Value hidden) override;
  Value prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) override;
  Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) override;

 private:
  /// How the queries of a layer find keys and values: what training, prefill and step differ in.
  using Attend = std::function<Value(std::int64_t layer, Value q, Value k, Value v)>;

  /// `transformer.h.3.attn.c_attn`
  [[nodiscard]] std::string name(std::string_view inside) const { return prefix_ + std::string(inside); }
  [[nodiscard]] std::string block(std::int64_t layer, std::string_view part) const;
  [[nodiscard]] Value conv(Graph& graph, Value x, const std::string& weights, std::int64_t to);
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  [[nodiscard]] Value word_table(Graph& graph);
  /// Adds the rows of the position table that the input `positions` names.
  [[nodiscard]] Value placed(Graph& graph, Value x, std::string_view positions);
  /// Embedded tokens from the input `ids`, an infix of embeddings between them, with positions.
  [[nodiscard]] Value embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const InsertionCapacity& capacity);
  [[nodiscard]] Value layers(Graph& graph, Value x, double dropout, const Attend& attend);
  /// Attention of a whole batch, to prefixes or through infixes of keys and values.
  [[nodiscard]] Attend attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences);
  [[nodiscard]] double score_scale(std::int64_t layer) const;

  Gpt2Config config_;
  Parameters parameters_;
  std::string prefix_;
  std::string embedding_name_;
  std::string head_name_;
};

}  // namespace preamble
