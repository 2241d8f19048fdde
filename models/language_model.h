// What every language model offers to methods, trainers and adapter files, whatever its family.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/conditioning.h"
#include "models/parameters.h"

namespace preamble {

/// Facts that methods and adapter files need.
struct AttentionShape {
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;

  [[nodiscard]] std::int64_t kv_width() const noexcept { return kv_heads * head_dim; }
};

/// Learned absolute positions: position p is row `offset + p` of a table.
struct PositionTable {
  std::int64_t positions = 0;  ///< how many there are; 0: the model has no such table, and sequences of any length
  std::int64_t offset = 0;
};

/// What the token ids and lengths of a batch are checked against.
struct InputLimits {
  std::int64_t vocabulary = 0;
  PositionTable positions = {};
};

class LanguageModel {
 public:
  LanguageModel() = default;
  LanguageModel(const LanguageModel&) = delete;
  LanguageModel& operator=(const LanguageModel&) = delete;
  virtual ~LanguageModel() = default;

  [[nodiscard]] virtual std::int64_t width() const noexcept = 0;
  /// Width of embedded tokens, and so of a prompt's rows.
  [[nodiscard]] virtual std::int64_t embedding_width() const noexcept { return width(); }
  [[nodiscard]] virtual std::int64_t vocabulary() const noexcept = 0;
  [[nodiscard]] virtual PositionTable positions() const noexcept { return {}; }
  [[nodiscard]] InputLimits limits() const noexcept { return {vocabulary(), positions()}; }
  /// Where PEFT's prefixes condition the model.
  [[nodiscard]] virtual Site prefix_site() const noexcept { return Site::decoder_self; }
  /// Whether positions of tokens begin behind a prefix whose file does not say it (PEFT's layout).
  [[nodiscard]] virtual bool prefix_shifts_positions() const noexcept { return true; }
  /// A model with one stack has one shape, whatever the site.
  [[nodiscard]] virtual AttentionShape attention_shape(Site site) const = 0;
  [[nodiscard]] virtual Parameters& parameters() noexcept = 0;
  [[nodiscard]] virtual const Parameters& parameters() const noexcept = 0;
  /// What activations, and the caches of generation, are computed in.
  [[nodiscard]] Dtype activations() const noexcept { return parameters().activations(); }
  /// The embedding of the vocabulary [V, embedding_width], as loaded.
  [[nodiscard]] virtual Tensor embedding() = 0;
  /// Name of that parameter.
  [[nodiscard]] virtual std::string_view embedding_name() const noexcept = 0;
};

}  // namespace preamble
