#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/generate/generate.h"
#include "models/seq2seq_decoder.h"
#include "tools/run_family.h"

namespace preamble {
namespace {

std::size_t labelled_length(const Ids& labels) {
  std::size_t length = labels.size();
  while (length > 0 && labels[length - 1] == kNoLabel) --length;
  return length;
}

Seq2SeqBatch read_batch(const RunInputs& inputs, const EncoderDecoder& model) {
  Seq2SeqBatch batch;
  batch.sources = inputs.unpadded("input_ids", "attention_mask");
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  if (inputs.has("labels")) batch.labels = inputs.matrix("labels");
  if (inputs.has("decoder_input_ids")) batch.decoder_inputs = inputs.matrix("decoder_input_ids");
  for (auto& labels : batch.labels) {
    labels.resize(labelled_length(labels));
    if (!inputs.has("decoder_input_ids")) batch.decoder_inputs.push_back(shifted_right(labels, model.decoder_start_id(), model.pad_id()));
  }
  if (batch.labels.empty() && inputs.has("decoder_input_ids")) batch.decoder_inputs = inputs.unpadded("decoder_input_ids", "decoder_attention_mask");
  for (std::size_t i = 0; i < batch.labels.size(); ++i) batch.decoder_inputs.at(i).resize(batch.labels[i].size());
  return batch;
}

}  // namespace

void run_forward(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const Seq2SeqBatch batch = read_batch(inputs, model);
  const bool loss = !batch.labels.empty();
  require<ConfigError>(loss || !args.grad, "--grad: the input has no labels");
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), loss);
  CompileOptions options;
  options.memory = args.memory;
  if (args.grad) options.loss = seq2seq::kLoss;
  Session session(compile(std::move(graph), options));
  feed(session, batch, conditioning, model.limits(), 1.0 / static_cast<double>(std::max<std::int64_t>(1, batch.label_count())));
  session.run();
  std::size_t length = 0;
  for (const auto* name : {"labels", "decoder_input_ids"}) {
    if (length == 0 && inputs.has(name)) length = inputs.matrix(name).at(0).size();
  }
  results.emplace_back("logits", padded(session.result_tensor(seq2seq::kLogits), batch.decoder_inputs, length));
  if (loss) results.emplace_back("loss", session.result_tensor(seq2seq::kLoss));
  add_gradients(session, results);
}

LossParts run_parts(EncoderDecoder& model, const RunArguments& args, const RunInputs& inputs) {
  const Seq2SeqBatch batch = read_batch(inputs, model);
  const auto parts = static_cast<std::size_t>(args.accumulation);
  const std::size_t size = (batch.sources.size() + parts - 1) / parts;
  Seq2SeqCapacity capacity;
  LossParts result;
  for (std::size_t begin = 0; begin < batch.sources.size(); begin += size) {
    const std::size_t end = std::min(batch.sources.size(), begin + size);
    Seq2SeqBatch part{cut(batch.sources, begin, end), cut(batch.slots, begin, end), cut(batch.decoder_inputs, begin, end), cut(batch.labels, begin, end), {}};
    const Seq2SeqCapacity needed = part.capacity();
    capacity.sequences = std::max(capacity.sequences, needed.sequences);
    capacity.source_rows = std::max(capacity.source_rows, needed.source_rows);
    capacity.target_rows = std::max(capacity.target_rows, needed.target_rows);
    result.parts.emplace_back(std::move(part));
  }
  result.model = loss_model(model, capacity);
  return result;
}

void run_generate(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const Seq2SeqBatch batch = read_batch(inputs, model);
  const std::vector<Ids> prompts(batch.sources.size(), Ids{model.decoder_start_id()});
  DecoderCapacity capacity;
  capacity.sequences = static_cast<std::int64_t>(batch.sources.size());
  capacity.source_rows = std::max<std::int64_t>(1, batch.source_rows());
  capacity.beams = std::max(args.generation.num_beams, args.generation.num_return_sequences);
  capacity.longest = length_limit(args.generation, 1);
  Seq2SeqDecoder decoder(model, [&](Graph& graph) { return method.condition(graph); }, capacity);
  decoder.encode(batch);
  results.emplace_back("sequences", rectangle(generate(decoder, args.generation, prompts), args.generation));
}

}  // namespace preamble
