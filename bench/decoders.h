// Generation with a cache, and the same without one: every step reads all tokens of all sequences again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/feeding.h"
#include "models/generate/decoder.h"
#include "models/language_model.h"
#include "peft/method.h"

namespace preamble::bench {

/// What is continued: prompts of a decoder-only model, sources of an encoder-decoder.
struct Inputs {
  std::vector<Ids> sequences;
  std::vector<std::int32_t> slots;
};

/// Sizes for some inputs.
struct GenerationShape {
  std::int64_t beams = 1;
  std::int64_t new_tokens = 1;
};

/// A decoder together with how it takes its inputs.
class Generator {
 public:
  Generator() = default;
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  virtual ~Generator() = default;

  [[nodiscard]] virtual Decoder& decoder() = 0;
  /// Reads sources where there are any; returns the ids that a search continues.
  [[nodiscard]] virtual std::vector<Ids> begin(const Inputs& inputs) = 0;
};

/// For inputs of at most these sizes. Model and method must outlive it.
[[nodiscard]] std::unique_ptr<Generator> cached_generator(LanguageModel& model, const Method& method, const Inputs& largest,
                                                          const GenerationShape& shape);
/// The same results. The output of an encoder is kept; keys and values are not.
[[nodiscard]] std::unique_ptr<Generator> uncached_generator(LanguageModel& model, const Method& method, const Inputs& largest,
                                                            const GenerationShape& shape);

}  // namespace preamble::bench
