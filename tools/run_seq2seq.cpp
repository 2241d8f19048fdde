#include <algorithm>
#include <utility>

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

}  // namespace

Seq2SeqBatch read_batch(const EncoderDecoder& model, const RunInputs& inputs) {
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

bool has_labels(const Seq2SeqBatch& batch) { return !batch.labels.empty(); }
std::size_t sequences_of(const Seq2SeqBatch& batch) { return batch.sources.size(); }

Seq2SeqBatch part_of(const Seq2SeqBatch& batch, std::size_t begin, std::size_t end) {
  return {cut(batch.sources, begin, end), cut(batch.slots, begin, end), cut(batch.decoder_inputs, begin, end), cut(batch.labels, begin, end), {}};
}

Seq2SeqCapacity larger_of(const Seq2SeqCapacity& a, const Seq2SeqCapacity& b) {
  return {std::max(a.sequences, b.sequences), std::max(a.source_rows, b.source_rows), std::max(a.target_rows, b.target_rows),
          std::max(a.targets, b.targets)};
}

void add_results(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqBatch& batch) {
  add_logits(model, graph, conditioning, batch.capacity(), has_labels(batch));
}

void write_results(const EncoderDecoder&, const Session& session, const Seq2SeqBatch& batch, const RunInputs& inputs, Named& results) {
  std::size_t length = 0;
  for (const auto* name : {"labels", "decoder_input_ids"}) {
    if (length == 0 && inputs.has(name)) length = inputs.matrix(name).at(0).size();
  }
  results.emplace_back("logits", padded(session.result_tensor(seq2seq::kLogits), batch.decoder_inputs, length));
}

void run_generate(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const Seq2SeqBatch batch = read_batch(model, inputs);
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
