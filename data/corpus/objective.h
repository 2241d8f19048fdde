// What a language model is to do with a window of text: the objectives of pretraining.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/random.h"

namespace preamble {

enum class ObjectiveKind : std::uint8_t {
  prefix_lm,        ///< go on behind the first tokens (Raffel et al. 2020; the LM adaptation of Lester et al. 2021)
  span_corruption,  ///< say what stood at the sentinels (Raffel et al. 2020)
  causal_lm,        ///< go on behind every token
  masked_lm,        ///< say what stood at the masks (Devlin et al. 2019)
  denoising,        ///< write the text out of an infilled, permuted one (Lewis et al. 2020)
};

/// `prefix-lm`, `span-corruption`, `causal-lm`, `masked-lm`, `denoising`. Throws ConfigError that lists them.
[[nodiscard]] ObjectiveKind objective_of(std::string_view name);
[[nodiscard]] std::string_view name_of(ObjectiveKind kind) noexcept;

/// Where a number is 0 the kind's own stands, as said.
struct ObjectiveOptions {
  ObjectiveKind kind = ObjectiveKind::prefix_lm;
  /// Most tokens of an input with its special tokens: prefix_lm 1024 (t5x), else 512. A model of one stack reads so many in all.
  std::int64_t max_source_length = 0;
  /// prefix_lm with an encoder-decoder: most tokens of a target with its end token; what is beyond is cut. 256 (t5x).
  std::int64_t max_target_length = 0;
  double noise_density = 0;     ///< span_corruption and masked_lm 0.15, denoising 0.3
  double mean_span_length = 0;  ///< span_corruption and denoising 3
  double random_rate = -1;      ///< share of the masks that are a random token: masked_lm 0.1, denoising 0; negative: these
  double keep_rate = -1;        ///< masked_lm: share of the masks where the token stays: 0.1
  bool permute_sentences = true;  ///< denoising
};

/// Makes examples out of windows.
class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  virtual ~Objective() = default;

  /// Tokens of a window of text.
  [[nodiscard]] virtual std::int64_t window() const noexcept = 0;
  /// The example of a window of 2 to `window()` tokens.
  [[nodiscard]] virtual Example make(const std::vector<std::int32_t>& window, Random& random) const = 0;
  /// An example as long as any can be, source and target apart: what a program is planned for.
  [[nodiscard]] virtual Example largest() const = 0;
  /// All that examples depend on beside the window.
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// `joint`: the model reads source and target as one sequence (decoder-only). Sources and targets of an encoder-decoder stand between what
/// the tokenizer puts around a text, and a target ends with the end token. The tokenizer must outlive it. Throws ConfigError for options
/// that contradict each other, and for a tokenizer without the sentinels or the mask token that the objective needs.
[[nodiscard]] std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, const Tokenizer& tokenizer, bool joint);

}  // namespace preamble
