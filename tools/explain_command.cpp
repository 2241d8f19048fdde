#include "tools/explain_command.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "models/blank_decoder.h"
#include "models/causal_decoder.h"
#include "models/made_up_model.h"
#include "models/seq2seq_decoder.h"
#include "peft/adapter_file.h"
#include "peft/prefix_tuning.h"
#include "peft/training_step.h"
#include "tools/explain_report.h"

namespace preamble {
namespace {

std::unique_ptr<Method> method_of(const ExplainArguments& args, const std::string& method, LanguageModel& model) {
  if (method != "full" && method != "lora" && args.adapter) return open_adapters({*args.adapter}, model);
  MethodShape shape = args.method;
  shape.method = method;
  return made_up_method(shape, model, 0);
}

PlannedStep plan(const ExplainArguments& args, const std::string& method, Budget budget) {
  Parameters::Options parameters = args.weights.parameters();
  if (method == "full") parameters.frozen = freeze_none;
  const auto model = made_up_model(args.model, untouched_source(), parameters);
  const auto conditioned = method_of(args, method, *model);
  const auto examples = made_up_examples(args.batch, *model, 0);
  TrainingStepOptions options;
  options.memory = budget;
  const TrainingStep step(made_up_loss(args.batch, *model, examples), *conditioned, options);
  const Program& program = step.program();
  PlannedStep planned;
  planned.batch = describe(args.batch, *model);
  planned.method = dynamic_cast<const PrefixTuning*>(conditioned.get()) != nullptr ? "prefix" : method;
  planned.memory = memory_need(*model, step, *make_adamw(step.shapes(), {}));
  planned.forward_flops = program.flops(Phase::forward);
  planned.backward_flops = program.flops(Phase::backward);
  planned.recomputed_flops = program.flops(Phase::recompute);
  planned.parts = cost_by_scope(program, LossModel::kLoss);
  planned.passes = program.passes();
  const auto rows = program.graph().row_spaces();
  planned.row_spaces.assign(rows.begin(), rows.end());
  return planned;
}

/// The cache of generating with the method: sources, or prompts, are as long as in training.
CacheNeed plan_cache(const ExplainArguments& args, const std::string& method) {
  const auto model = made_up_model(args.model, untouched_source());
  const auto conditioned = method_of(args, method, *model);
  Graph graph = model->parameters().graph();
  const Conditioning conditioning = conditioned->condition(graph);
  const std::int64_t sequences = args.batch.sequences;
  if (const auto* encoder_decoder = dynamic_cast<const EncoderDecoder*>(model.get())) {
    return cache_need(*encoder_decoder, conditioning, DecoderCapacity{sequences, sequences * args.batch.source, args.beams, 1 + args.new_tokens});
  }
  const auto* causal = dynamic_cast<const CausalLm*>(model.get());
  const auto* blanks = dynamic_cast<const BlankModel*>(model.get());
  require<UnsupportedError>(causal != nullptr || blanks != nullptr, "--max-new-tokens: {} does not generate text", args.model);
  CausalDecoderCapacity capacity;
  capacity.sequences = sequences;
  capacity.prompt_tokens = sequences * args.batch.tokens;
  capacity.beams = args.beams;
  capacity.longest = args.batch.tokens + args.new_tokens;
  capacity.new_tokens = args.new_tokens;
  return blanks != nullptr ? cache_need(*blanks, conditioning, capacity) : cache_need(*causal, conditioning, capacity);
}

struct Baseline {
  PlannedStep step;
  std::string memory_budget;
};

/// Full fine-tuning under the same budget, or under the smallest one where that is too small for it.
Baseline plan_full(const ExplainArguments& args, Budget budget) {
  try {
    return {plan(args, "full", budget), args.memory_budget};
  } catch (const ConfigError&) {
    if (budget.kind != Budget::Kind::bytes) throw;
    return {plan(args, "full", Budget::smallest()), "min"};
  }
}

/// LoRA under the same budget, beside a prompt or prefix; nothing where the budget is too small for it, or the model has no usual targets.
std::optional<PlannedStep> plan_lora(const ExplainArguments& args, const std::string& method, Budget budget) {
  if (method == "full" || method == "lora") return std::nullopt;
  try {
    return plan(args, "lora", budget);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

std::string line_of(const PlannedStep& lora, std::int64_t rank) {
  constexpr double kMiB = 1 << 20;
  return fmt::format("\nBeside it: LoRA of rank {}, {:.1f} MiB in all, {:.1f} MiB beyond the weights, {:.2f} GFLOP a step\n", rank,
                     static_cast<double>(lora.memory.total()) / kMiB, static_cast<double>(lora.memory.beyond_weights()) / kMiB,
                     lora.flops() / 1e9);
}

}  // namespace

int explain_command(const ExplainArguments& given) {
  ExplainArguments args = given;
  args.batch.tokens = tokens_of(given.batch, *made_up_model(given.model, untouched_source()));
  const std::string method = args.adapter ? "prompt" : args.method.method;
  const Budget budget = Budget::parse(args.memory_budget, args.kept_values);
  const PlannedStep step = plan(args, method, budget);
  std::optional<Baseline> full;
  if (method != "full") full = plan_full(args, budget);
  const std::optional<PlannedStep> lora = plan_lora(args, method, budget);
  const std::optional<CacheNeed> cache = args.new_tokens > 0 ? std::optional(plan_cache(args, method)) : std::nullopt;
  if (args.json) {
    nlohmann::json report = {{"model", args.model},
                             {"batch_size", args.batch.sequences},
                             {"source", args.batch.source},
                             {"target", args.batch.target},
                             {"tokens", args.batch.tokens},
                             {"weights", args.weights.description()},
                             {"memory_budget", args.memory_budget},
                             {"kept_values", args.kept_values},
                             {"program", to_json(step)}};
    if (cache) report["cache"] = to_json(*cache);
    if (lora) report["lora"] = to_json(*lora);
    if (full) {
      report["full"] = to_json(full->step);
      report["full_memory_budget"] = full->memory_budget;
    }
    fmt::print("{}\n", report.dump(2));
    return 0;
  }
  const std::string kept = args.kept_values == "exact" ? "" : ", kept values in " + args.kept_values;
  fmt::print("{}, {}, weights {}, memory budget {}{}\n", args.model, step.batch, args.weights.description(), args.memory_budget, kept);
  if (full && full->memory_budget != args.memory_budget) {
    fmt::print("Full fine-tuning does not fit this budget; it is shown with the budget {}.\n", full->memory_budget);
  }
  fmt::print("{}", to_text(step, full ? &full->step : nullptr));
  if (lora) fmt::print("{}", line_of(*lora, args.method.lora.r));
  if (cache) {
    fmt::print("\nGenerating {} tokens for {} sequences with {} beam(s)\n{}", args.new_tokens, args.batch.sequences, args.beams, to_text(*cache));
  }
  return 0;
}

}  // namespace preamble
