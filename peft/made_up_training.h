// Examples and methods without data: what a training step is planned and measured with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/examples.h"
#include "models/heads/head.h"
#include "peft/loss_model.h"
#include "peft/method.h"
#include "peft/peft_config.h"

namespace preamble {

/// Lengths of a batch of equal examples, and what an encoder's head predicts.
struct BatchShape {
  std::int64_t sequences = 8;
  std::int64_t source = 256;  ///< of an encoder-decoder: tokens of each source
  std::int64_t target = 16;   ///< and of each target, all with a label
  std::int64_t tokens = 0;    ///< of a model with one stack: tokens of each sequence; 0: 128 of an encoder, 512 of a decoder
  HeadKind head = HeadKind::sequence;
};

/// `tokens` of a model with one stack, 128 or 512 if it is 0.
[[nodiscard]] std::int64_t tokens_of(const BatchShape& shape, const LanguageModel& model);

/// `batch 8, 256 source tokens, 16 target tokens`; `batch 4, 512 tokens` for a decoder-only model; `batch 8, 128 tokens, SEQ_CLS` for
/// an encoder.
[[nodiscard]] std::string describe(const BatchShape& shape, const LanguageModel& model);

/// Examples with random tokens, as the model's family reads them; the same for the same seed. All tokens of a decoder have a label; of
/// an encoder those that the head reads: each of them, or the sequence, has one of two classes; a masked LM fills in one token a sequence,
/// and a multiple choice has two choices of the given length.
[[nodiscard]] std::vector<Example> made_up_examples(const BatchShape& shape, const LanguageModel& model, std::uint64_t seed);

/// A loss for these examples. An encoder gets a new head.
[[nodiscard]] std::unique_ptr<LossModel> made_up_loss(const BatchShape& shape, LanguageModel& model, const std::vector<Example>& examples);

/// All examples as one batch of a loss model that was made for them.
[[nodiscard]] LossBatch whole_batch(const LossModel& model, const std::vector<Example>& examples);

/// What learns.
struct MethodShape {
  std::string method = "prompt";  ///< prompt, prefix (also called deep-prompt), lora, full
  std::int64_t virtual_tokens = 20;
  std::int64_t mlp = 0;  ///< prefix: hidden width of the network that computes it; 0: none
  /// prefix: encoder_self, decoder_self, cross; empty: where PEFT's prefixes go, the decoder's or else the encoder's self-attention.
  std::vector<std::string> sites = {};
  LoraConfig lora = {};

  /// Names of methods, for options.
  [[nodiscard]] static std::vector<std::string> methods() { return {"prompt", "prefix", "deep-prompt", "lora", "full"}; }
};

/// A method with small random numbers; LoRA is added to the model. Throws ConfigError for an unknown method or site, and for a site that the model does not have.
[[nodiscard]] std::unique_ptr<Method> made_up_method(const MethodShape& shape, LanguageModel& model, std::uint64_t seed);

}  // namespace preamble
