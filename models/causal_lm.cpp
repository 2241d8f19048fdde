#include "models/causal_lm.h"

#include "engine/ops/cross_entropy.h"
#include "engine/ops/gather_rows.h"
#include "models/building.h"

namespace preamble {
namespace {

void add_loss_of(CausalLm& model, Graph& graph, Value hidden, const CausalCapacity& capacity, double z_loss) {
  const Scope scope(graph, "head");
  const RowSpaceId labelled = graph.rows(causal::kLabelled, capacity.tokens, capacity.sequences);
  const Value labels = row_input(graph, causal::kLabels, labelled);
  const Value weight = graph.input(causal::kLossWeight, {graph.real(), kNoRows, {}});
  const Value logits = model.head(graph, gather_rows(hidden, row_input(graph, causal::kLabelledIndex, labelled)));
  const Value loss = cross_entropy(logits, labels, weight, z_loss);
  graph.output(causal::kLoss, loss);
  graph.output(causal::kNll, nll_of(loss));
}

}  // namespace

void add_loss(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, double z_loss) {
  add_loss_of(model, graph, model.decode(graph, conditioning, capacity), capacity, z_loss);
}

void add_logits(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, bool loss) {
  Value hidden = model.decode(graph, conditioning, capacity);
  if (loss) add_loss_of(model, graph, hidden, capacity, 0);
  const Scope scope(graph, "head");
  if (conditioning.prompt) hidden = gather_rows(hidden, row_input(graph, causal::kTokenIndex, graph.rows(causal::kTokens)));
  graph.output(causal::kLogits, model.head(graph, hidden));
}

}  // namespace preamble
