#include "tools/explain_command.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "models/made_up_model.h"
#include "peft/adapter_file.h"
#include "peft/prefix_tuning.h"
#include "peft/training_step.h"
#include "tools/explain_report.h"

namespace preamble {
namespace {

std::unique_ptr<Method> method_of(const ExplainArguments& args, const std::string& method, EncoderDecoder& model) {
  if (method == "full") return std::make_unique<NoMethod>();
  if (args.adapter) return open_adapters({*args.adapter}, model);
  if (method == "prefix") {
    const AttentionShape shape = model.attention_shape(Site::decoder_self);
    PrefixSlot slot;
    slot.emplace(Site::decoder_self,
                 SitePrefixTable{PackedRows{Tensor(Dtype::f32, {args.virtual_tokens, shape.layers * 2 * shape.kv_width()})}, shape.kv_heads,
                                 shape.head_dim, pairs_of_layers(shape.layers, 1)});
    return std::make_unique<PrefixTuning>(std::vector{std::move(slot)}, PrefixPositions{.shifted = true, .relative = true});
  }
  return std::make_unique<PromptTuning>(
      std::vector<PromptSlot>{{Tensor(Dtype::f32, {args.virtual_tokens, model.width()}), args.virtual_tokens}});
}

PlannedStep plan(const ExplainArguments& args, const std::string& method, Budget budget) {
  Parameters::Options parameters;
  parameters.weights = args.weights;
  if (method == "full") parameters.frozen = freeze_none;
  const auto model = made_up_model(args.model, untouched_source(), parameters);
  const auto conditioned = method_of(args, method, *model);
  Seq2SeqCapacity capacity;
  capacity.sequences = args.batch_size;
  capacity.source_rows = args.batch_size * args.source;
  capacity.target_rows = args.batch_size * args.target;
  TrainingStepOptions options;
  options.memory = budget;
  const TrainingStep step(*model, *conditioned, capacity, options);
  const Program& program = step.program();
  PlannedStep planned;
  planned.method = dynamic_cast<const PrefixTuning*>(conditioned.get()) != nullptr ? "prefix" : method;
  planned.memory = memory_need(*model, step, *make_adamw(step.shapes(), {}));
  planned.forward_flops = program.flops(Phase::forward);
  planned.backward_flops = program.flops(Phase::backward);
  planned.recomputed_flops = program.flops(Phase::recompute);
  planned.parts = cost_by_scope(program, seq2seq::kLoss);
  planned.passes = program.passes();
  const auto rows = program.graph().row_spaces();
  planned.row_spaces.assign(rows.begin(), rows.end());
  return planned;
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

}  // namespace

int explain_command(const ExplainArguments& args) {
  const std::string method = args.adapter ? "prompt" : args.method;
  const Budget budget = Budget::parse(args.memory_budget);
  const PlannedStep step = plan(args, method, budget);
  std::optional<Baseline> full;
  if (method != "full") full = plan_full(args, budget);
  if (args.json) {
    nlohmann::json report = {{"model", args.model},     {"batch_size", args.batch_size},    {"source", args.source},
                             {"target", args.target},   {"weights", name_of(args.weights)}, {"memory_budget", args.memory_budget},
                             {"program", to_json(step)}};
    if (full) {
      report["full"] = to_json(full->step);
      report["full_memory_budget"] = full->memory_budget;
    }
    fmt::print("{}\n", report.dump(2));
    return 0;
  }
  fmt::print("{}, batch {}, source {}, target {}, weights {}, memory budget {}\n", args.model, args.batch_size, args.source, args.target,
             name_of(args.weights), args.memory_budget);
  if (full && full->memory_budget != args.memory_budget) {
    fmt::print("Full fine-tuning does not fit this budget; it is shown with the budget {}.\n", full->memory_budget);
  }
  fmt::print("{}", to_text(step, full ? &full->step : nullptr));
  return 0;
}

}  // namespace preamble
