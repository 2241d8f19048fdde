#include "peft/run_identity.h"

#include <array>
#include <set>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "engine/core/hash.h"
#include "peft/trainer.h"

namespace preamble {
namespace {

template <class T>
void hash_vector(std::uint64_t& hash, const std::vector<T>& values) {
  const std::uint64_t size = values.size();
  hash = hash_words(hash, &size, sizeof size);
  hash = hash_words(hash, values.data(), values.size() * sizeof(T));
}

std::uint64_t hash_of_examples(std::span<const Example> examples) {
  std::uint64_t hash = kHashSeed;
  for (const auto& example : examples) {
    for (const auto* ids : {&example.source, &example.target, &example.types, &example.tags, &example.choices}) hash_vector(hash, *ids);
    const std::array numbers = {example.label, example.begin, example.end, example.head, example.slot};
    hash = hash_words(hash, numbers.data(), sizeof numbers);
    hash = hash_words(hash, &example.value, sizeof example.value);
  }
  return hash;
}

std::string describe_rules(const BatchRules& rules) {
  return fmt::format("sequences {}, rows {}/{}, extra {}/{}, {}, seed {}, window {}{}", rules.sequences, rules.source_rows,
                     rules.target_rows, rules.source_extra, rules.target_extra, rules.shuffle ? "shuffled" : "in order", rules.seed,
                     rules.length_window, rules.drop_last ? ", last dropped" : "");
}

std::string describe_step(const TrainingStepOptions& step) {
  std::string text = fmt::format("{} over labels, z loss {}, max norm {}", step.mean ? "mean" : "sum", step.z_loss, step.max_grad_norm);
  const DropoutRates& rates = step.dropout;
  if (step.dropout_seed && rates.hidden + rates.attention + rates.prefix > 0)
    text += fmt::format(", dropout {}/{}/{}, seed {}", rates.hidden, rates.attention, rates.prefix, *step.dropout_seed);
  return text;
}

}  // namespace

std::string differences(const RunIdentity& there, const RunIdentity& here) {
  std::set<std::string> keys;
  for (const auto* run : {&there, &here}) {
    for (const auto& [key, value] : *run) keys.insert(key);
  }
  const auto value_of = [](const RunIdentity& run, const std::string& key) {
    const auto found = run.find(key);
    return found == run.end() ? std::string("nothing") : fmt::format("'{}'", found->second);
  };
  std::vector<std::string> texts;
  for (const auto& key : keys) {
    std::string a = value_of(there, key);
    std::string b = value_of(here, key);
    if (a != b) texts.push_back(fmt::format("{}: {} there, {} here", key, a, b));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

std::string describe_content(std::span<const Example> examples) {
  return fmt::format("{} examples, {:016x}", examples.size(), hash_of_examples(examples));
}

RunIdentity identity_of(const TrainerOptions& options, const TrainingStep& step, const Optimizer& optimizer,
                        std::span<const Example> examples) {
  RunIdentity identity = options.identity;
  identity["model"] = fmt::format("{:016x}", step.model_hash());
  identity["training data"] = describe_content(examples);
  identity["batches"] = describe_rules(options.batches) + fmt::format(", parts {}", options.gradient_accumulation_steps);
  identity["steps"] = fmt::format("{}", options.max_steps);
  identity["learning rate"] = options.learning_rate.describe();
  identity["optimizer"] = optimizer.describe();
  identity["loss"] = describe_step(options.step);
  return identity;
}

}  // namespace preamble
