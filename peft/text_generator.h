// Texts from examples, in batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"
#include "models/generate/generation_config.h"
#include "models/language_model.h"
#include "peft/method.h"

namespace preamble {

class TextGenerator {
 public:
  /// Caches for batches of up to `batch` sources of up to `longest_source` tokens. Method, model and tokenizer must outlive it. Without an
  /// end token in `config` texts end with the tokenizer's. Throws
  /// UnsupportedError for a model that does not generate.
  TextGenerator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config, std::int64_t longest_source,
                std::int64_t batch = 16);
  ~TextGenerator();

  /// The best text of each example (`num_return_sequences` of them, one after another): of a decoder-only model what follows the source.
  /// `slot`: the prompt to use for all; negative: each example's own.
  [[nodiscard]] std::vector<std::string> generate(std::span<const Example> examples, std::int32_t slot = -1,
                                                  const std::function<void(std::int64_t done)>& progress = {});

  [[nodiscard]] std::int64_t cache_bytes() const noexcept;

  /// A family's decoder with its way to take sources.
  class Engine;

 private:
  const Tokenizer& tokenizer_;
  GenerationConfig config_;
  std::int64_t batch_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace preamble
