#include "models/llama/llama.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/causal_decoder.h"
#include "models/open_model.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/graphs.h"
#include "tests/support/prefixes.h"

namespace llama_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::unique_ptr<CausalLm> opened(const std::string& folder) {
  auto model = open_model(golden(folder));
  return std::unique_ptr<CausalLm>(dynamic_cast<CausalLm*>(model.release()));
}

/// Two slots of rows in front or between source and target.
std::unique_ptr<Method> method_for(const LanguageModel& model, const std::string& kind) {
  const Placement placement = kind.starts_with("infix") ? Placement::infix : Placement::prefix;
  if (kind.ends_with("prompt")) {
    std::vector<PromptSlot> slots = {{random_floats({3, model.width()}, 1), 3}, {random_floats({1, model.width()}, 2), 1}};
    return std::make_unique<PromptTuning>(std::move(slots), placement);
  }
  const AttentionShape shape = model.attention_shape(Site::decoder_self);
  std::vector<PrefixSlot> slots;
  for (const std::int64_t rows : {3, 1}) {
    SitePrefixTable table{PackedRows{random_floats({rows, shape.layers * 2 * shape.kv_width()}, static_cast<std::uint64_t>(rows))},
                          shape.kv_heads, shape.head_dim, pairs_of_layers(shape.layers, 1)};
    slots.push_back({{Site::decoder_self, std::move(table)}});
  }
  return std::make_unique<PrefixTuning>(std::move(slots), PrefixPositions{.shifted = true, .placement = placement});
}

void check_row(const std::vector<float>& given, const std::vector<float>& expected) {
  REQUIRE(given.size() == expected.size());
  double squares = 0;
  double error = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    squares += std::pow(static_cast<double>(expected[i]), 2);
    error += std::pow(static_cast<double>(given[i]) - static_cast<double>(expected[i]), 2);
  }
  CHECK(std::sqrt(error) <= 1e-5 * std::sqrt(squares));
}

/// Logits behind sequences that grow token by token are those of plain passes over each of them alone.
void check_decoding(CausalLm& model, const Method& method) {
  const CausalDecoderCapacity capacity{.sequences = 2, .prompt_tokens = 8, .beams = 1, .longest = 12, .new_tokens = 5};
  CausalDecoder decoder(model, [&](Graph& graph) { return method.condition(graph); }, capacity);
  decoder.use_slots({0, 1});
  const std::vector<Ids> given = {{5, 17, 33, 2, 9, 40, 41}, {60}};
  std::vector<Ids> made(2);
  // the label tells a plain pass where the given tokens end
  const auto plain = [&](std::size_t i) {
    CausalBatch batch{.sequences = {given[i]}, .slots = {static_cast<std::int32_t>(i)}, .labels = {Ids(given[i].size(), kNoLabel)}};
    batch.sequences[0].insert(batch.sequences[0].end(), made[i].begin(), made[i].end());
    batch.labels[0].insert(batch.labels[0].end(), made[i].begin(), made[i].end());
    return logits_of(model, method, batch).back();
  };
  auto rows = rows_of_logits(decoder.prefill(given, {}).logits, decoder.vocabulary());
  for (std::int32_t t = 0; t < 5; ++t) {
    CAPTURE(t);
    for (std::size_t i = 0; i < 2; ++i) check_row(rows.at(i), plain(i));
    if (t == 4) break;
    std::vector<StepRow> next;
    for (std::int32_t i = 0; i < 2; ++i) {
      const std::int32_t token = 20 + 7 * t + i;
      next.push_back({i, token, i});
      made[static_cast<std::size_t>(i)].push_back(token);
    }
    rows = rows_of_logits(decoder.step(next, {}).logits, decoder.vocabulary());
  }
}

}  // namespace

TEST_CASE("llama: has the facts that methods need") {
  const auto model = opened("llama/model");
  CHECK(model->width() == 32);
  CHECK(model->vocabulary() == 93);
  CHECK(model->embedding_name() == "model.embed_tokens.weight");
  const AttentionShape shape = model->attention_shape(Site::decoder_self);
  CHECK(shape.heads == 4);
  CHECK(shape.kv_heads == 2);
  CHECK(shape.kv_width() == 24);
}

TEST_CASE("llama: cached logits are those of plain passes, with every method, rotation, window and norm") {
  for (const auto* folder : {"llama/model", "llama3/model", "mistral/model", "qwen2/model-window", "qwen3/model", "gpt_neox/model", "gemma/model"}) {
    CAPTURE(folder);
    const auto model = opened(folder);
    const bool windows = std::string(folder).starts_with("mistral") || std::string(folder).starts_with("qwen2");
    for (const std::string kind : {"prompt", "prefix", "infix prompt", "infix prefix"}) {
      if (kind == "infix prefix" && windows) continue;
      CAPTURE(kind);
      check_decoding(*model, *method_for(*model, kind));
    }
  }
}

TEST_CASE("llama: an infix of keys and values has no place in a window") {
  const auto model = opened("mistral/model");
  const auto method = method_for(*model, "infix prefix");
  CHECK_THROWS_WITH_AS((void)logits_of(*model, *method, {.sequences = {{1, 2}}}),
                       "infix: keys and values were given to a model with sliding windows; wanted a prompt, whose rows have positions there",
                       UnsupportedError);
}

TEST_CASE("llama: heads of keys are not copied for the queries that share them") {
  const auto model = opened("llama/model");
  Graph graph;
  add_logits(*model, graph, method_for(*model, "prefix")->condition(graph), {.sequences = 2, .tokens = 9}, false);
  const auto program = compile(std::move(graph));
  std::int64_t keys = 0;
  for (const auto& node : program->graph().nodes()) {
    if (!node.op || node.op->name() != "attention") continue;
    CHECK(node.inputs[Attention::kKey].type().width() == 24);
    CHECK(node.inputs[Attention::kPrefixKey].type().width() == 24);
    ++keys;
  }
  CHECK(keys == 2);
  CHECK(count_ops(program->graph(), "rotary_angles") == 1);
}

}  // namespace llama_test
