#include <algorithm>

#include "models/causal_decoder.h"
#include "models/generate/generate.h"
#include "tools/run_family.h"

namespace preamble {

CausalBatch read_batch(const CausalLm&, const RunInputs& inputs) {
  CausalBatch batch;
  batch.sequences = inputs.unpadded("input_ids", "attention_mask");
  if (inputs.has("labels")) batch.labels = inputs.unpadded("labels", "attention_mask");
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  return batch;
}

bool has_labels(const CausalBatch& batch) { return !batch.labels.empty(); }
std::size_t sequences_of(const CausalBatch& batch) { return batch.sequences.size(); }

CausalBatch part_of(const CausalBatch& batch, std::size_t begin, std::size_t end) {
  return {cut(batch.sequences, begin, end), cut(batch.slots, begin, end), cut(batch.labels, begin, end)};
}

CausalCapacity larger_of(const CausalCapacity& a, const CausalCapacity& b) {
  return {std::max(a.sequences, b.sequences), std::max(a.tokens, b.tokens)};
}

void add_results(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalBatch& batch) {
  add_logits(model, graph, conditioning, batch.capacity(), has_labels(batch));
}

void write_results(const CausalLm&, const Session& session, const CausalBatch& batch, const RunInputs& inputs, Named& results) {
  results.emplace_back("logits", padded(session.result_tensor(causal::kLogits), batch.sequences, inputs.matrix("input_ids").at(0).size()));
}

void run_generate(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const CausalBatch batch = read_batch(model, inputs);
  CausalDecoder decoder(model, [&](Graph& graph) { return method.condition(graph); }, CausalDecoderCapacity::of(batch.sequences, args.generation));
  if (!batch.slots.empty()) decoder.use_slots(batch.slots);
  // transformers returns the input as it was, padding included, with the new tokens behind it
  std::vector<Ids> sequences;
  const std::vector<Ids> given = inputs.matrix("input_ids");
  const auto copies = static_cast<std::size_t>(args.generation.num_return_sequences);
  const auto generated = generate(decoder, args.generation, batch.sequences);
  for (std::size_t i = 0; i < generated.size(); ++i) {
    Ids& sequence = sequences.emplace_back(given.at(i / copies));
    const auto known = static_cast<std::ptrdiff_t>(batch.sequences.at(i / copies).size());
    sequence.insert(sequence.end(), generated[i].begin() + known, generated[i].end());
  }
  // every sequence is continued alone: what fills the ends is the batch's affair, not that of a beam search
  GenerationConfig filling = args.generation;
  filling.num_beams = 1;
  results.emplace_back("sequences", rectangle(sequences, filling));
}

}  // namespace preamble
