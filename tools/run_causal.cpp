#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/causal_decoder.h"
#include "models/generate/generate.h"
#include "tools/run_family.h"

namespace preamble {
namespace {

CausalBatch read_batch(const RunInputs& inputs) {
  CausalBatch batch;
  batch.sequences = inputs.unpadded("input_ids", "attention_mask");
  if (inputs.has("labels")) batch.labels = inputs.unpadded("labels", "attention_mask");
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  return batch;
}

}  // namespace

void run_forward(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const CausalBatch batch = read_batch(inputs);
  const bool loss = !batch.labels.empty();
  require<ConfigError>(loss || !args.grad, "--grad: the input has no labels");
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), loss);
  CompileOptions options;
  options.memory = args.memory;
  if (args.grad) options.loss = causal::kLoss;
  Session session(compile(std::move(graph), options));
  feed(session, batch, conditioning, model.limits(), 1.0 / static_cast<double>(std::max<std::int64_t>(1, batch.label_count(conditioning))));
  session.run();
  results.emplace_back("logits", padded(session.result_tensor(causal::kLogits), batch.sequences, inputs.matrix("input_ids").at(0).size()));
  if (loss) results.emplace_back("loss", session.result_tensor(causal::kLoss));
  add_gradients(session, results);
}

LossParts run_parts(CausalLm& model, const RunArguments& args, const RunInputs& inputs) {
  const CausalBatch batch = read_batch(inputs);
  const auto parts = static_cast<std::size_t>(args.accumulation);
  const std::size_t size = (batch.sequences.size() + parts - 1) / parts;
  CausalCapacity capacity;
  LossParts result;
  for (std::size_t begin = 0; begin < batch.sequences.size(); begin += size) {
    const std::size_t end = std::min(batch.sequences.size(), begin + size);
    CausalBatch part{cut(batch.sequences, begin, end), cut(batch.slots, begin, end), cut(batch.labels, begin, end)};
    const CausalCapacity needed = part.capacity();
    capacity.sequences = std::max(capacity.sequences, needed.sequences);
    capacity.tokens = std::max(capacity.tokens, needed.tokens);
    result.parts.emplace_back(std::move(part));
  }
  result.model = loss_model(model, capacity);
  return result;
}

void run_generate(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const CausalBatch batch = read_batch(inputs);
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
  results.emplace_back("sequences", rectangle(sequences, args.generation));
}

}  // namespace preamble
