// Texts from examples, in batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"
#include "models/generate/ensemble_decoder.h"
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
  /// The same for slots 0 .. members-1 together: they choose each token by their common distribution, and an example has one text.
  TextGenerator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config, std::int64_t longest_source,
                std::int32_t members, Combination combination, std::int64_t batch = 16);
  ~TextGenerator();

  /// Stands between the texts of several blanks.
  static constexpr std::string_view kBetweenPieces = " | ";

  /// The best text of each example (`num_return_sequences` of them, one after another): of a decoder-only model what follows the source, of
  /// a model that fills blanks what stands in the source's blanks, from left to right, each seeing those in front of it.
  /// `slot`: the prompt to use for all; negative: each example's own. The ranks of `world()` share out the examples.
  [[nodiscard]] std::vector<std::string> generate(std::span<const Example> examples, std::int32_t slot = -1,
                                                  const std::function<void(std::int64_t done)>& progress = {});

  [[nodiscard]] std::int64_t cache_bytes() const noexcept;

  /// A family's decoder with its way to take sources.
  class Engine;

 private:
  /// The texts of blanks behind the first, with what stands between.
  [[nodiscard]] std::string further_pieces(std::vector<std::int32_t> sequence, std::int32_t slot, std::uint64_t stream);
  [[nodiscard]] std::vector<std::string> generate_here(std::span<const Example> examples, std::int32_t slot,
                                                       const std::function<void(std::int64_t done)>& progress);

  const Tokenizer& tokenizer_;
  GenerationConfig config_;
  std::int64_t batch_;
  std::int32_t members_ = 1;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Decoder> together_;  ///< of the members, or null
};

}  // namespace preamble
