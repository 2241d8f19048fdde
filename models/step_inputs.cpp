#include "models/step_inputs.h"

#include "models/building.h"

namespace preamble {

StepInputs StepInputs::declare(Graph& graph, RowSpaceId rows, std::int64_t longest, const Conditioning& conditioning) {
  StepInputs inputs;
  inputs.cache_row = row_input(graph, step_inputs::kCacheRow, rows);
  inputs.table = input(graph, step_inputs::kHistory, {Dtype::i32, rows, {longest}});
  inputs.lengths = row_input(graph, step_inputs::kLengths, rows);
  if (has_prefix(conditioning, Site::decoder_self)) inputs.slots = row_input(graph, step_inputs::kRowSlots, rows);
  return inputs;
}

}  // namespace preamble
