#include "tools/equal_inputs.h"

#include <functional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/batch_source.h"
#include "engine/core/hash.h"
#include "engine/distributed/communicator.h"
#include "peft/run_identity.h"

namespace preamble {

void require_equal_inputs(LanguageModel& model, const Method& method, const std::vector<Trainable>& others, std::span<const Example> examples,
                          const std::string& options) {
  if (world().size() == 1) return;
  std::set<std::string, std::less<>> names;
  for (const auto& [name, tensor] : model.parameters().loaded()) names.insert(name);
  std::uint64_t trained = kHashSeed;
  std::vector<Trainable> all = method.trainables();
  all.insert(all.end(), others.begin(), others.end());
  for (const auto& [name, value] : all) trained = hash_words(trained, value.data(), value.bytes());
  require_equal_on_ranks(world(), {{"model", fmt::format("{:016x}", model.parameters().hash_of(names))},
                                   {"adapter", fmt::format("{} tensors, {:016x}", all.size(), trained)},
                                   {"data", describe_content(examples)},
                                   {"options", options}});
}

std::string describe(const GenerationConfig& c) {
  return fmt::format("beams {}, returned {}, new tokens {}/{}, length {}/{}, length penalty {}, early stopping {}, sampling {} (temperature {}, top {}/{}, "
                     "seed {}), repetition {}/{}, bad words [{}], suppressed [{}], forced {}/{}, ends [{}]",
                     c.num_beams, c.num_return_sequences, c.min_new_tokens.value_or(-1), c.max_new_tokens.value_or(-1), c.min_length,
                     c.max_length.value_or(-1), c.length_penalty, static_cast<int>(c.early_stopping), c.do_sample, c.temperature, c.top_k, c.top_p, c.seed,
                     c.repetition_penalty, c.no_repeat_ngram_size, fmt::join(c.bad_words_ids, ","), fmt::join(c.suppress_tokens, ","),
                     c.forced_bos_token_id.value_or(-1), c.forced_eos_token_id.value_or(-1), fmt::join(c.eos_token_ids, ","));
}

}  // namespace preamble
