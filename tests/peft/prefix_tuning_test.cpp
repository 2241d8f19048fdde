#include "peft/prefix_tuning.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/seq2seq_decoder.h"
#include "peft/training_step.h"
#include "tests/support/graphs.h"
#include "tests/support/prefixes.h"
#include "tests/support/t5_models.h"
#include "tests/support/values.h"

namespace prefix_tuning_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Pairs = std::map<std::int64_t, std::int64_t>;

PrefixTuning one_site(Site site, SitePrefixTable table, PrefixPositions positions = {}) {
  PrefixSlot slot;
  slot.emplace(site, std::move(table));
  return {std::vector{std::move(slot)}, positions};
}

/// Gradients of a batch by the name of their trainable.
std::map<std::string, std::vector<double>> gradients_of(T5& model, const Method& method, const Seq2SeqBatch& batch) {
  TrainingStep step(loss_model(model, batch.capacity()), method, {});
  const std::vector<LossBatch> parts = {batch};
  (void)step.differentiate(parts);
  std::map<std::string, std::vector<double>> gradients;
  for (std::size_t i = 0; i < step.trainables().size(); ++i) {
    const auto gradient = step.gradient(i);
    gradients[step.trainables()[i].name].assign(gradient.begin(), gradient.end());
  }
  return gradients;
}

bool all_zero(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double x) { return x == 0; });
}

}  // namespace

TEST_CASE("prefix tuning: PEFT's two submodules read every second pair, twice over") {
  CHECK(pairs_of_layers(4, 2) == Pairs{{0, 0}, {1, 2}, {2, 0}, {3, 2}});
  CHECK(pairs_of_layers(3, 2) == Pairs{{0, 0}, {1, 2}, {2, 1}});
  CHECK(pairs_of_layers(3, 1) == Pairs{{0, 0}, {1, 1}, {2, 2}});
}

TEST_CASE("prefix tuning: packed rows and heads hold the same numbers in their orders") {
  SitePrefixTable table{PackedRows{doubles({1, 8}, {1, 2, 3, 4, 5, 6, 7, 8}).to(Dtype::f32)}, 2, 1, {{0, 0}, {1, 1}}};
  const KeysAndValues both = table.unpacked();
  CHECK(both.key.dims() == Dims{2, 2, 1, 1});
  CHECK(numbers(both.key) == std::vector<double>{1, 2, 5, 6});
  CHECK(numbers(both.value) == std::vector<double>{3, 4, 7, 8});
  const SitePrefixTable random = packed_prefix(3, 4, 9);
  SitePrefixTable turned = random;
  turned.source = random.unpacked();
  CHECK(turned.tokens() == 4);
  CHECK(turned.pairs() == 3);
  CHECK(numbers(turned.packed().rows) == numbers(random.packed().rows));
}

TEST_CASE("prefix tuning: packed rows, heads and a network that computes the rows condition alike") {
  const auto model = golden_t5();
  const Seq2SeqBatch batch = small_batch();
  SitePrefixTable table = packed_prefix(3, 4, 9);
  const PromptEncoder encoder = PromptEncoder::random({EncoderKind::projection, 4, 6, 7, 240, 2}, 5);
  table.source = encoder;
  const auto expected = numbers(logits_of(*model, one_site(Site::decoder_self, table), batch));
  SitePrefixTable rows = table;
  rows.source = table.packed();
  check_close(numbers(logits_of(*model, one_site(Site::decoder_self, rows), batch)), expected, 1e-6);
  SitePrefixTable heads = table;
  heads.source = table.unpacked();
  check_close(numbers(logits_of(*model, one_site(Site::decoder_self, heads), batch)), expected, 1e-6);
  CHECK(numbers(logits_of(*model, NoMethod(), batch)) != expected);
}

TEST_CASE("prefix tuning: slots of different lengths and sites give each sequence its own prefix") {
  const auto model = golden_t5();
  PrefixSlot first, second;
  first.emplace(Site::decoder_self, packed_prefix(3, 4, 1));
  first.emplace(Site::cross, packed_prefix(3, 2, 2, "cross."));
  second.emplace(Site::decoder_self, packed_prefix(3, 1, 3));
  Seq2SeqBatch batch = small_batch();
  batch.slots = {1, 0, 1};
  const auto mixed = numbers(logits_of(*model, PrefixTuning({first, second}, {}), batch));
  std::vector<double> single;
  for (std::size_t i = 0; i < 3; ++i) {
    Seq2SeqBatch one = sequence_of(batch, i);
    one.slots.clear();
    const auto logits = numbers(logits_of(*model, PrefixTuning({i == 1 ? first : second}, {}), one));
    single.insert(single.end(), logits.begin(), logits.end());
  }
  check_close(mixed, single, 1e-5);
}

TEST_CASE("prefix tuning: an adapter that no sequence uses has a zero gradient") {
  const auto model = golden_t5();
  PrefixSlot first, second;
  first.emplace(Site::decoder_self, packed_prefix(3, 4, 1));
  second.emplace(Site::decoder_self, packed_prefix(3, 2, 3));
  Seq2SeqBatch batch = small_batch();
  batch.slots = {1, 1, 1};
  const auto gradients = gradients_of(*model, PrefixTuning({first, second}, {}), batch);
  REQUIRE(gradients.size() == 2);
  CHECK(all_zero(gradients.at("0.prompt_embeddings")));
  CHECK_FALSE(all_zero(gradients.at("1.prompt_embeddings")));
  CHECK(gradients.at("0.prompt_embeddings").size() == 4 * 240);
}

TEST_CASE("prefix tuning: pairs that no layer reads have a zero gradient, shared ones the sum") {
  const auto model = golden_t5();
  SitePrefixTable table = packed_prefix(3, 2, 1);
  table.pair_of_layer = {{0, 0}, {1, 0}, {2, 2}};
  const auto shared = gradients_of(*model, one_site(Site::decoder_self, table), small_batch()).at("prompt_embeddings");
  SitePrefixTable copies = table;
  copies.pair_of_layer = pairs_of_layers(3, 1);
  auto rows = std::get<PackedRows>(copies.source).rows.clone();
  for (std::size_t r = 0; r < 2; ++r) std::copy_n(rows.values<float>().data() + r * 240, 80, rows.values<float>().data() + r * 240 + 80);
  copies.source = PackedRows{rows};
  const auto separate = gradients_of(*model, one_site(Site::decoder_self, copies), small_batch()).at("prompt_embeddings");
  std::vector<double> expected(480);
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 80; ++c) expected[r * 240 + c] = separate[r * 240 + c] + separate[r * 240 + 80 + c];
    for (std::size_t c = 160; c < 240; ++c) expected[r * 240 + c] = separate[r * 240 + c];
  }
  check_close(shared, expected, 1e-6);
}

TEST_CASE("prefix tuning: cached generation with a prefix at every site is a plain forward pass") {
  const auto model = golden_t5();
  PrefixSlot slot;
  slot.emplace(Site::encoder_self, packed_prefix(2, 3, 1, "encoder_self."));
  slot.emplace(Site::decoder_self, packed_prefix(3, 2, 2));
  slot.emplace(Site::cross, packed_prefix(3, 4, 3, "cross."));
  for (const bool relative : {false, true}) {
    CAPTURE(relative);
    const PrefixTuning method({slot}, {.relative = relative});
    Seq2SeqBatch batch = small_batch();
    batch.labels.clear();
    batch.decoder_inputs = {{0, 8}, {0, 44}, {0, 3}};
    const auto expected = numbers(logits_of(*model, method, batch));
    const DecoderCapacity capacity{.sequences = 3, .source_rows = batch.source_rows(), .beams = 1, .longest = 2};
    Seq2SeqDecoder decoder(
        *model, [&](Graph& graph) { return method.condition(graph); }, capacity);
    decoder.encode(batch);
    (void)decoder.prefill(std::vector<Ids>{{0}, {0}, {0}}, {});
    const auto logits = decoder.step(std::vector<StepRow>{{0, 8, 0}, {1, 44, 1}, {2, 3, 2}}, {}).logits;
    const auto width = static_cast<std::size_t>(model->vocabulary());
    std::vector<double> second;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto row = expected.begin() + static_cast<std::ptrdiff_t>((2 * i + 1) * width);
      second.insert(second.end(), row, row + static_cast<std::ptrdiff_t>(width));
    }
    check_close(std::vector<double>(logits.begin(), logits.end()), second, 1e-5);
  }
}

TEST_CASE("prefix tuning: all layers share one split and one gradient, and nothing is expanded to the batch") {
  const auto model = golden_t5();
  const PrefixTuning method = one_site(Site::decoder_self, packed_prefix(3, 4, 1));
  const TrainingStep step(loss_model(*model, small_batch().capacity()), method, {});
  const Graph& graph = step.program().graph();
  CHECK(count_ops(graph, "split_columns", Phase::forward) == 1);
  CHECK(count_ops(graph, "join_columns") == 1);
  CHECK(count_ops(graph, "concat_rows", Phase::forward) == 1);
  CHECK(count_ops(graph, "slice_rows") == 1);
  CHECK(count_ops(graph, "outer_sum") == 0);
  CHECK(graph.rows(graph.rows("prefix.decoder_self")).rows == 4);
  // the encoder is below every prefix: plain inference
  const bool backward = std::ranges::any_of(
      graph.nodes(), [](const Node& node) { return node.op && node.phase != Phase::forward && node.scope.starts_with("encoder"); });
  CHECK_FALSE(backward);
}

TEST_CASE("prefix tuning: rejects what does not fit together") {
  CHECK_THROWS_WITH_AS(PrefixTuning({}, {}), "prefix tuning: no prefixes were given; wanted one at least", ShapeError);
  CHECK_THROWS_WITH_AS(PrefixTuning({PrefixSlot{}}, {}), "prefix tuning: a prefix without any site was given; wanted one at least",
                       ShapeError);
  SitePrefixTable table = packed_prefix(3, 4, 1);
  table.pair_of_layer[5] = 3;
  CHECK_THROWS_WITH_AS(one_site(Site::cross, table), "prefix 'cross': layer 5 reads pair 3; there are 3", ShapeError);
  table = packed_prefix(3, 4, 1);
  table.head_dim = 7;
  CHECK_THROWS_WITH_AS(one_site(Site::cross, table), "prefix 'cross': rows of 240 were given; wanted a multiple of 70 (2, 5 heads, 7)",
                       ShapeError);
  PrefixSlot first, second;
  first.emplace(Site::cross, packed_prefix(3, 4, 1));
  second.emplace(Site::cross, packed_prefix(2, 4, 1));
  CHECK_THROWS_WITH_AS(PrefixTuning({first, second}, {.placement = Placement::infix}),
                       "prefix 'cross': infixes of layers 0, 1, 2 and 0, 1 were given; wanted the same layers in all slots", ShapeError);
}

}  // namespace prefix_tuning_test
