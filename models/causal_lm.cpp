#include "models/causal_lm.h"

#include <optional>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/cast.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/merge_rows.h"
#include "models/building.h"

namespace preamble {
namespace {

void require_one_of_both(const Conditioning& conditioning) {
  require<UnsupportedError>(!conditioning.prompt || conditioning.prefixes.empty(),
                            "conditioning: a prompt and a prefix were given for one decoder; wanted one of them");
}

Conditioning with_prefix(SitePrefix prefix, const DropoutRates& dropout) {
  Conditioning conditioning;
  conditioning.dropout = dropout;
  conditioning.prefix_shifts_positions = true;
  conditioning.prefixes[Site::decoder_self] = std::move(prefix);
  return conditioning;
}

void add_loss_of(CausalLm& model, Graph& graph, Value hidden, Value prompt_output, const CausalCapacity& capacity, double z_loss,
                 bool weighs_labels) {
  const Scope scope(graph, "head");
  const Value index = graph.subset(causal::kLabelled, hidden.type().rows, capacity.tokens);
  const Value labels = row_input(graph, causal::kLabels, index.type().rows);
  const Value weight = weighs_labels ? graph.input(causal::kLabelWeights, {graph.statistic(), index.type().rows, {}})
                                     : graph.input(causal::kLossWeight, {graph.statistic(), kNoRows, {}});
  Value rows = gather_rows(hidden, index);
  if (prompt_output) rows = merge_rows(rows, prompt_output, row_input(graph, causal::kLabelledMerge, index.type().rows));
  const Value loss = cross_entropy(model.head(graph, rows), labels, weight, z_loss);
  graph.output(causal::kLoss, loss);
  graph.output(causal::kNll, nll_of(loss));
}

}  // namespace

ReadConditioning with_prompt_read(CausalLm& model, Graph& graph, const Conditioning& conditioning) {
  require_one_of_both(conditioning);
  if (!conditioning.prompt || conditioning.placement == Placement::infix) return {conditioning, {}};
  const Scope scope(graph, "prompt");
  PromptPass pass = model.read_prompt(graph, *conditioning.prompt, conditioning.dropout);
  return {with_prefix(std::move(pass.prefix), conditioning.dropout), pass.output};
}

Conditioning prompt_as_prefix(const LanguageModel& model, const Conditioning& conditioning) {
  require_one_of_both(conditioning);
  if (!conditioning.prompt || conditioning.placement == Placement::infix) {
    // all but the prompt
    return {.prompt = std::nullopt,
            .prefixes = conditioning.prefixes,
            .prefix_shifts_positions = conditioning.prefix_shifts_positions,
            .prefix_has_relative_positions = conditioning.prefix_has_relative_positions,
            .dropout = conditioning.dropout};
  }
  SitePrefix prefix;
  prefix.space = conditioning.prompt->space;
  const std::int64_t layers = model.attention_shape(Site::decoder_self).layers;
  for (std::int64_t layer = 0; layer < layers; ++layer) prefix.layers[layer] = {};
  return with_prefix(std::move(prefix), conditioning.dropout);
}

void add_loss(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, double z_loss,
              bool weighs_labels) {
  const ReadConditioning read = with_prompt_read(model, graph, conditioning);
  add_loss_of(model, graph, model.decode(graph, read.conditioning, capacity), read.prompt_output, capacity, z_loss, weighs_labels);
}

void add_logits(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, bool loss) {
  const ReadConditioning read = with_prompt_read(model, graph, conditioning);
  const Value hidden = model.decode(graph, read.conditioning, capacity);
  if (loss) add_loss_of(model, graph, hidden, read.prompt_output, capacity, 0, false);
  const Scope scope(graph, "head");
  graph.output(causal::kLogits, cast(model.head(graph, hidden), graph.statistic()));
}

}  // namespace preamble
