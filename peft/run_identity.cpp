#include "peft/run_identity.h"

#include <set>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "peft/trainer.h"

namespace preamble {
namespace {

std::string describe_rules(const BatchRules& rules) {
  return fmt::format("sequences {}, rows {}/{}, extra {}/{}, {}, seed {}, window {}{}{}", rules.sequences, rules.source_rows,
                     rules.target_rows, rules.source_extra, rules.target_extra, rules.shuffle ? "shuffled" : "in order", rules.seed,
                     rules.length_window, rules.drop_last ? ", last dropped" : "",
                     rules.task_rates.empty() ? "" : fmt::format(", rates {}", fmt::join(rules.task_rates, "/")));
}

std::string describe_step(const TrainingStepOptions& step) {
  std::string text = fmt::format("{} over labels, z loss {}, max norm {}", step.mean ? "mean" : "sum", step.z_loss, step.max_grad_norm);
  if (!step.task_rates.empty()) text += fmt::format(", tasks by {}", fmt::join(step.task_rates, "/"));
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

std::string to_text(const RunIdentity& identity) {
  std::string text;
  for (const auto& [key, value] : identity) text += fmt::format("{}{}{}{}", key, '\0', value, '\0');
  return text;
}

RunIdentity identity_from(std::string_view text) {
  RunIdentity identity;
  const auto next = [&] {
    const std::size_t end = text.find('\0');
    std::string part(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return part;
  };
  while (!text.empty()) {
    std::string key = next();
    identity[std::move(key)] = next();
  }
  return identity;
}

void require_equal_on_ranks(Communicator& ranks, const RunIdentity& mine) {
  const std::string text = to_text(mine);
  const auto texts = ranks.gather_all(std::as_bytes(std::span(text)), "comparison of what the ranks were given");
  for (std::size_t r = 1; r < texts.size(); ++r) {
    if (texts[r] == texts.front()) continue;
    const auto identity_at = [&](std::size_t rank) {
      return identity_from(std::string_view(reinterpret_cast<const char*>(texts[rank].data()), texts[rank].size()));
    };
    raise<DistributedError>("rank {} was given another run than rank 0 ('here'): {}", r, differences(identity_at(r), identity_at(0)));
  }
}

RunIdentity identity_of(const TrainerOptions& options, const TrainingStep& step, const Optimizer& optimizer,
                        const BatchSource& data) {
  RunIdentity identity = options.identity;
  identity["model"] = fmt::format("{:016x}", step.model_hash());
  for (auto& [name, value] : data.properties()) identity[name] = value;
  identity["batches"] = describe_rules(options.batches) + fmt::format(", parts {}", options.gradient_accumulation_steps);
  if (options.ranks != nullptr) identity[kProcesses] = fmt::format("{}", options.ranks->size());
  identity["steps"] = fmt::format("{}", options.max_steps);
  identity["learning rate"] = options.learning_rate.describe();
  identity["optimizer"] = optimizer.describe();
  identity["loss"] = describe_step(options.step);
  return identity;
}

}  // namespace preamble
