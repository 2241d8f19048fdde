#include "tools/run_command.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/generate/generate.h"
#include "models/open_model.h"
#include "models/seq2seq_batch.h"
#include "models/seq2seq_decoder.h"
#include "peft/adapter_file.h"
#include "peft/training_step.h"

namespace preamble {
namespace {

using Ids = std::vector<std::int32_t>;
using Named = std::vector<std::pair<std::string, Tensor>>;

/// The tensors of the input file, by row.
class Inputs {
 public:
  explicit Inputs(const std::filesystem::path& path) : file_(SafetensorsFile::open(path)) {}

  [[nodiscard]] bool has(std::string_view name) const { return file_.contains(name); }

  /// A [B, S] tensor of integers. Throws FileError for anything else.
  [[nodiscard]] std::vector<Ids> matrix(std::string_view name) const {
    const Tensor tensor = integers(name, 2);
    const auto values = std::as_const(tensor).values<std::int32_t>();
    std::vector<Ids> rows;
    const auto width = static_cast<std::size_t>(tensor.dim(1));
    for (std::int64_t r = 0; r < tensor.dim(0); ++r) {
      const auto row = values.subspan(static_cast<std::size_t>(r) * width, width);
      rows.emplace_back(row.begin(), row.end());
    }
    return rows;
  }
  [[nodiscard]] Ids vector(std::string_view name) const {
    const Tensor tensor = integers(name, 1);
    const auto values = std::as_const(tensor).values<std::int32_t>();
    return {values.begin(), values.end()};
  }

 private:
  [[nodiscard]] Tensor integers(std::string_view name, std::size_t axes) const {
    const Tensor tensor = file_.get(name);
    require<FileError>(tensor.dims().size() == axes && !is_floating(tensor.dtype()), "{}: '{}' is {} {}; wanted integers with {} axes",
                       file_.path().string(), name, name_of(tensor.dtype()), to_string(tensor.dims()), axes);
    return tensor.to(Dtype::i32);
  }

  TensorFile file_;
};

/// Cuts padding off: rows end where the mask does.
std::vector<Ids> unpadded(const std::vector<Ids>& ids, const std::vector<Ids>& mask) {
  require<FileError>(ids.size() == mask.size(), "attention mask: {} rows were given for {} sequences", mask.size(), ids.size());
  std::vector<Ids> result;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Ids row;
    for (std::size_t t = 0; t < ids[i].size(); ++t) {
      if (mask[i].at(t) != 0) row.push_back(ids[i][t]);
    }
    result.push_back(std::move(row));
  }
  return result;
}

std::size_t labelled_length(const Ids& labels) {
  std::size_t length = labels.size();
  while (length > 0 && labels[length - 1] == kNoLabel) --length;
  return length;
}

Seq2SeqBatch read_batch(const Inputs& inputs, const EncoderDecoder& model) {
  Seq2SeqBatch batch;
  batch.sources = inputs.matrix("input_ids");
  if (inputs.has("attention_mask")) batch.sources = unpadded(batch.sources, inputs.matrix("attention_mask"));
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  if (inputs.has("labels")) batch.labels = inputs.matrix("labels");
  if (inputs.has("decoder_input_ids")) batch.decoder_inputs = inputs.matrix("decoder_input_ids");
  for (auto& labels : batch.labels) {
    labels.resize(labelled_length(labels));
    if (!inputs.has("decoder_input_ids")) batch.decoder_inputs.push_back(shifted_right(labels, model.decoder_start_id(), model.pad_id()));
  }
  if (batch.labels.empty() && inputs.has("decoder_attention_mask")) {
    batch.decoder_inputs = unpadded(batch.decoder_inputs, inputs.matrix("decoder_attention_mask"));
  }
  for (std::size_t i = 0; i < batch.labels.size(); ++i) batch.decoder_inputs.at(i).resize(batch.labels[i].size());
  return batch;
}

/// Rows of a ragged result into a padded tensor; what is behind a sequence is zero.
Tensor padded(const Tensor& rows, const std::vector<Ids>& sequences, std::size_t length) {
  const std::int64_t width = rows.dim(1);
  Tensor result(Dtype::f32, {static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(length), width});
  const auto from = rows.values<float>();
  auto to = result.values<float>();
  std::size_t at = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::size_t count = sequences[i].size() * static_cast<std::size_t>(width);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), count,
                to.begin() + static_cast<std::ptrdiff_t>(i * length * static_cast<std::size_t>(width)));
    at += count;
  }
  return result;
}

/// One pass: logits of all decoder rows, loss and gradients where they are asked for.
void forward(EncoderDecoder& model, const Method& method, const RunArguments& args, const Inputs& inputs, Named& results) {
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
  feed(session, batch, conditioning, model.vocabulary(), 1.0 / static_cast<double>(std::max<std::int64_t>(1, batch.label_count())));
  session.run();
  std::size_t length = 0;
  for (const auto* name : {"labels", "decoder_input_ids"}) {
    if (length == 0 && inputs.has(name)) length = inputs.matrix(name).at(0).size();
  }
  results.emplace_back("logits", padded(session.result_tensor(seq2seq::kLogits), batch.decoder_inputs, length));
  if (loss) results.emplace_back("loss", session.result_tensor(seq2seq::kLoss));
  for (const auto& [name, value] : session.program().graph().outputs()) {
    if (name.starts_with("grad.")) results.emplace_back(name, session.result_tensor(name));
  }
}

/// Consecutive parts of at most ceil(B / parts) sequences.
std::vector<Seq2SeqBatch> split(const Seq2SeqBatch& batch, std::int64_t parts) {
  const std::size_t size = (batch.sources.size() + static_cast<std::size_t>(parts) - 1) / static_cast<std::size_t>(parts);
  std::vector<Seq2SeqBatch> result;
  for (std::size_t begin = 0; begin < batch.sources.size(); begin += size) {
    const std::size_t end = std::min(batch.sources.size(), begin + size);
    const auto cut = [&](const auto& all) {
      using List = std::decay_t<decltype(all)>;
      return all.empty() ? List() : List(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
    };
    result.push_back({cut(batch.sources), cut(batch.slots), cut(batch.decoder_inputs), cut(batch.labels), {}});
  }
  return result;
}

void train(EncoderDecoder& model, const Method& method, const RunArguments& args, const Inputs& inputs, Named& results) {
  const Seq2SeqBatch batch = read_batch(inputs, model);
  const auto parts = split(batch, args.accumulation);
  Seq2SeqCapacity capacity;
  for (const auto& part : parts) {
    const Seq2SeqCapacity needed = part.capacity();
    capacity.sequences = std::max(capacity.sequences, needed.sequences);
    capacity.source_rows = std::max(capacity.source_rows, needed.source_rows);
    capacity.target_rows = std::max(capacity.target_rows, needed.target_rows);
  }
  TrainingStepOptions options;
  options.memory = args.memory;
  options.max_grad_norm = args.optimizer.max_grad_norm;
  TrainingStep step(model, method, capacity, options);
  const auto optimizer = args.optimizer.make(step.shapes());
  const LearningRate rate = args.optimizer.schedule(args.steps);
  std::vector<float> losses;
  for (std::int64_t k = 0; k < args.steps; ++k) {
    StepResult result = step.differentiate(parts);
    losses.push_back(static_cast<float>(result.loss));
    step.update(*optimizer, rate.at(k), result);
  }
  results.emplace_back("losses", tensor_of({args.steps}, losses));
  for (const auto& trainable : step.trainables()) results.emplace_back("final." + trainable.name, trainable.value);
}

void generate_sequences(EncoderDecoder& model, const Method& method, const RunArguments& args, const Inputs& inputs, Named& results) {
  Seq2SeqBatch batch = read_batch(inputs, model);
  const Ids start = {model.decoder_start_id()};
  const std::vector<Ids> prompts(batch.sources.size(), start);
  DecoderCapacity capacity;
  capacity.sequences = static_cast<std::int64_t>(batch.sources.size());
  capacity.source_rows = std::max<std::int64_t>(1, batch.source_rows());
  capacity.beams = std::max(args.generation.num_beams, args.generation.num_return_sequences);
  capacity.longest = length_limit(args.generation, 1);
  Seq2SeqDecoder decoder(
      model, [&](Graph& graph) { return method.condition(graph); }, capacity);
  decoder.encode(batch);
  const auto sequences = generate(decoder, args.generation, prompts);
  std::size_t longest = 0;
  for (const auto& sequence : sequences) longest = std::max(longest, sequence.size());
  Tensor tensor(Dtype::i64, {static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(longest)});
  auto values = tensor.values<std::int64_t>();
  std::ranges::fill(values, fill_token(args.generation));
  for (std::size_t i = 0; i < sequences.size(); ++i)
    std::ranges::copy(sequences[i], values.begin() + static_cast<std::ptrdiff_t>(i * longest));
  results.emplace_back("sequences", std::move(tensor));
}

}  // namespace

int run_command(const RunArguments& args) {
  Parameters::Options options;
  options.weights = args.weights;
  if (args.method == "full") options.frozen = freeze_none;
  const auto model = open_encoder_decoder(args.model, options);
  const std::unique_ptr<Method> method =
      args.adapters.empty() ? std::make_unique<NoMethod>() : open_adapters(args.adapters, *model, {}, args.trainable);
  const Inputs inputs(args.in);
  Named results;
  if (args.generate) {
    generate_sequences(*model, *method, args, inputs, results);
  } else if (args.steps > 0) {
    train(*model, *method, args, inputs, results);
  } else {
    forward(*model, *method, args, inputs, results);
  }
  write_safetensors(args.out, results);
  return 0;
}

}  // namespace preamble
