#include "tools/run_blanks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/core/error.h"
#include "models/blank_decoder.h"
#include "models/generate/generate.h"

namespace preamble {
namespace {

/// The rows of all sequences, padding left out. Choices have one axis more.
struct Reader {
  const RunInputs& inputs;
  bool choices;
  std::vector<Ids> masks;

  Reader(const RunInputs& from, bool of_choices) : inputs(from), choices(of_choices) {
    const std::size_t axes = choices ? 3 : 2;
    masks = inputs.has("attention_mask") ? inputs.rows("attention_mask", axes) : inputs.rows("input_ids", axes);
    if (!inputs.has("attention_mask")) {
      for (auto& mask : masks) std::ranges::fill(mask, 1);
    }
  }

  [[nodiscard]] static bool exists(const Ids& mask) { return std::ranges::find(mask, 1) != mask.end(); }

  /// `every`: rows of the tensor for each sequence, of which `which` is read.
  [[nodiscard]] std::vector<Ids> read(std::string_view name, std::size_t axes, std::size_t every = 1, std::size_t which = 0) const {
    const std::vector<Ids> rows = inputs.rows(name, axes + (choices ? 1 : 0));
    require<FileError>(rows.size() == masks.size() * every, "'{}': {} rows were given for {} of 'input_ids'", name, rows.size(), masks.size());
    std::vector<Ids> result;
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const Ids& row = rows[every * i + which];
      require<FileError>(row.size() == masks[i].size(), "'{}': {} columns were given; wanted {}", name, row.size(), masks[i].size());
      if (choices && !exists(masks[i])) continue;
      Ids& kept = result.emplace_back();
      for (std::size_t t = 0; t < row.size(); ++t) {
        if (masks[i][t] != 0) kept.push_back(row[t]);
      }
    }
    return result;
  }
};

/// Of choices: numbers of the examples, and the right one of each.
void read_choices(const Reader& reader, std::size_t examples, EncoderBatch& batch) {
  const std::size_t count = reader.masks.size() / std::max<std::size_t>(1, examples);
  const std::optional<Ids> labels = reader.inputs.has("labels") ? std::optional(reader.inputs.vector("labels")) : std::nullopt;
  require<FileError>(!labels || labels->size() == examples, "'labels': {} were given; wanted {}", labels ? labels->size() : 0, examples);
  for (std::size_t i = 0; i < reader.masks.size(); ++i) {
    const std::size_t example = i / count;
    if (!Reader::exists(reader.masks[i])) continue;
    const auto number = static_cast<std::int32_t>(example);
    const bool first = batch.groups.empty() || batch.groups.back() != number;
    batch.groups.push_back(number);
    if (!labels) continue;
    // absent choices in front of the right one are not counted
    std::int32_t right = 0;
    const auto wanted = static_cast<std::size_t>(labels->at(example));
    require<FileError>(wanted < count && Reader::exists(reader.masks[example * count + wanted]), "'labels': choice {} of example {} does not exist",
                       wanted, example);
    for (std::size_t c = 0; c < wanted; ++c) right += Reader::exists(reader.masks[example * count + c]) ? 1 : 0;
    batch.classes.push_back(first ? right : kNoLabel);
  }
}

}  // namespace

EncoderBatch read_blanks(const HeadedEncoder& model, const RunInputs& inputs) {
  EncoderBatch batch;
  const bool choices = !model.heads.empty() && model.heads.front().by_likelihood();
  const Reader reader(inputs, choices);
  batch.sequences = reader.read("input_ids", 2);
  if (inputs.has("position_ids")) {
    batch.positions = reader.read("position_ids", 3, 2, 0);
    batch.block_positions = reader.read("position_ids", 3, 2, 1);
    const std::vector<Ids> contexts = choices ? inputs.rows("context_length", 2) : std::vector<Ids>{inputs.vector("context_length")};
    Ids all;
    for (const auto& row : contexts) all.insert(all.end(), row.begin(), row.end());
    require<FileError>(all.size() == reader.masks.size(), "'context_length': {} were given; wanted {}", all.size(), reader.masks.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!choices || Reader::exists(reader.masks[i])) batch.contexts.push_back(all[i]);
    }
  }
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  if (model.heads.size() > 1) batch.heads = batch.slots;
  if (choices) {
    const auto examples = static_cast<std::size_t>(inputs.dims("input_ids").front());
    batch.token_labels = reader.read("target_ids", 2);
    read_choices(reader, examples, batch);
    if (!batch.slots.empty()) {
      Ids of_sequences;
      for (const auto example : batch.groups) of_sequences.push_back(batch.slots.at(static_cast<std::size_t>(example)));
      batch.slots = std::move(of_sequences);
    }
    return batch;
  }
  if (!inputs.has("labels") || model.heads.empty()) return batch;
  const Head& head = model.heads.front();
  if (head.is_regression()) {
    batch.values = inputs.reals("labels");
  } else if (reads_first_row(head.kind())) {
    batch.classes = inputs.vector("labels");
  } else {
    batch.token_labels = reader.read("labels", 2);
  }
  return batch;
}

Tensor choice_scores(const Session& session, const RunInputs& inputs) {
  const Dims dims = inputs.dims("input_ids");
  const Reader reader(inputs, true);
  Tensor scores(Dtype::f32, {dims.at(0), dims.at(1)});
  const Tensor found = session.result_tensor(headed::name(0, headed::kLogits));
  const auto from = std::as_const(found).values<float>();
  auto to = scores.values<float>();
  std::size_t at = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (Reader::exists(reader.masks[i])) to[i] = from[at++];
  }
  return scores;
}

void generate_blanks(BlankModel& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const BlankTokens& tokens = model.blanks()->required("--generate");
  std::vector<Ids> prompts = inputs.unpadded("input_ids", "attention_mask");
  for (auto& prompt : prompts) prompt = opened(std::move(prompt), tokens);
  GenerationConfig config = args.generation;
  config.eos_token_ids = {tokens.end};
  BlankDecoder decoder(model, [&](Graph& graph) { return method.condition(graph); }, CausalDecoderCapacity::of(prompts, config));
  if (inputs.has("slots")) decoder.use_slots(inputs.vector("slots"));
  std::vector<Ids> sequences;
  const std::vector<Ids> given = inputs.matrix("input_ids");
  const auto copies = static_cast<std::size_t>(config.num_return_sequences);
  const auto generated = generate(decoder, config, prompts);
  for (std::size_t i = 0; i < generated.size(); ++i) {
    Ids& sequence = sequences.emplace_back(given.at(i / copies));
    const auto known = static_cast<std::ptrdiff_t>(prompts.at(i / copies).size()) - 1;
    sequence.insert(sequence.end(), generated[i].begin() + known, generated[i].end());
  }
  results.emplace_back("sequences", rectangle(sequences, config));
}

}  // namespace preamble
