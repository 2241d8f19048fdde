// Examples and methods without data: what a training step is planned and measured with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/examples.h"
#include "peft/loss_model.h"
#include "peft/method.h"

namespace preamble {

/// Lengths of a batch of equal examples.
struct BatchShape {
  std::int64_t sequences = 8;
  std::int64_t source = 256;  ///< of an encoder-decoder: tokens of each source
  std::int64_t target = 16;   ///< and of each target, all with a label
  std::int64_t tokens = 512;  ///< of a decoder-only model: tokens of each sequence, all with a label
};

/// `batch 8, 256 source tokens, 16 target tokens`, or `batch 4, 512 tokens` for a decoder-only model.
[[nodiscard]] std::string describe(const BatchShape& shape, const LanguageModel& model);

/// Examples with random tokens, as the model's family reads them; the same for the same seed.
[[nodiscard]] std::vector<Example> made_up_examples(const BatchShape& shape, const LanguageModel& model, std::uint64_t seed);

/// All examples as one batch of a loss model that was made for them.
[[nodiscard]] LossBatch whole_batch(const LossModel& model, const std::vector<Example>& examples);

/// What learns.
struct MethodShape {
  std::string method = "prompt";  ///< prompt, prefix, full
  std::int64_t virtual_tokens = 20;
  std::int64_t mlp = 0;  ///< prefix: hidden width of the network that computes it; 0: none
  /// prefix: encoder_self, decoder_self, cross; empty: the decoder's self-attention, as PEFT's.
  std::vector<std::string> sites = {};

  /// Names of methods, for options.
  [[nodiscard]] static std::vector<std::string> methods() { return {"prompt", "prefix", "full"}; }
};

/// A method with small random numbers. Throws ConfigError for an unknown method or site, and for a site that the model does not have.
[[nodiscard]] std::unique_ptr<Method> made_up_method(const MethodShape& shape, const LanguageModel& model, std::uint64_t seed);

}  // namespace preamble
