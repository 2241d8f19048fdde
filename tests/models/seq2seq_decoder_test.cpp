#include "models/seq2seq_decoder.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "tests/support/t5_models.h"

namespace seq2seq_decoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Rows = std::vector<std::vector<float>>;

Rows rows_of(std::span<const float> logits, std::int64_t width) {
  Rows rows;
  for (std::size_t i = 0; i < logits.size(); i += static_cast<std::size_t>(width)) {
    rows.emplace_back(logits.begin() + static_cast<std::ptrdiff_t>(i),
                      logits.begin() + static_cast<std::ptrdiff_t>(i + static_cast<std::size_t>(width)));
  }
  return rows;
}

/// Logits of every decoder position by one plain forward pass.
Rows uncached(T5& model, const Method& method, const Seq2SeqBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), false);
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, model.limits(), 1);
  session.run();
  return rows_of(session.result<float>(seq2seq::kLogits), model.vocabulary());
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

/// The model and a method of two prompts, of which sequences use one each.
struct Setting {
  Setting() {
    batch.labels.clear();
    batch.slots = {0, 1, 0};
    batch.decoder_inputs = {{0, 8, 30, 77}, {0, 44, 21, 7}, {0, 3, 110, 3}};
  }

  [[nodiscard]] Seq2SeqDecoder decoder(std::int64_t beams = 1, std::int64_t longest = 4) {
    const DecoderCapacity capacity{.sequences = 3, .source_rows = batch.source_rows(), .beams = beams, .longest = longest};
    return {*model, [this](Graph& graph) { return method.condition(graph); }, capacity};
  }

  std::unique_ptr<T5> model = golden_t5();
  PromptTuning method{{random_prompt(3, 36, 1), random_prompt(2, 36, 2)}};
  Seq2SeqBatch batch = small_batch();
};

const std::vector<Ids> kStarts = {{0}, {0}, {0}};

}  // namespace

TEST_CASE("seq2seq decoder: cached logits are those of a plain forward pass, token by token") {
  Setting s;
  const Rows expected = uncached(*s.model, s.method, s.batch);
  auto decoder = s.decoder();
  decoder.encode(s.batch);
  Rows rows = rows_of(decoder.prefill(kStarts, {}).logits, decoder.vocabulary());
  for (std::size_t t = 0; t < 4; ++t) {
    CAPTURE(t);
    for (std::size_t i = 0; i < 3; ++i) check_row(rows.at(i), expected.at(i * 4 + t));
    if (t == 3) break;
    std::vector<StepRow> next;
    for (std::int32_t i = 0; i < 3; ++i) next.push_back({i, s.batch.decoder_inputs[static_cast<std::size_t>(i)][t + 1], i});
    rows = rows_of(decoder.step(next, {}).logits, decoder.vocabulary());
  }
}

TEST_CASE("seq2seq decoder: beams branch, reorder and end, and read one copy of the source") {
  Setting s;
  auto decoder = s.decoder(2);
  decoder.encode(s.batch);
  (void)decoder.prefill(kStarts, {});
  // sequence 0 branches, sequence 1 has finished, sequence 2 goes on alone
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}, {0, 44, 0}, {2, 3, 2}}, {});
  // the beams change places; then the second is given up and the first branches
  (void)decoder.step(std::vector<StepRow>{{1, 21, 0}, {0, 30, 0}, {2, 110, 2}}, {});
  const Rows rows = rows_of(decoder.step(std::vector<StepRow>{{0, 5, 0}, {0, 6, 0}, {2, 9, 2}}, {}).logits, decoder.vocabulary());
  Seq2SeqBatch plain;
  plain.sources = {s.batch.sources[0], s.batch.sources[0], s.batch.sources[2]};
  plain.decoder_inputs = {{0, 44, 21, 5}, {0, 44, 21, 6}, {0, 3, 110, 9}};
  const Rows expected = uncached(*s.model, s.method, plain);
  for (std::size_t i = 0; i < 3; ++i) check_row(rows.at(i), expected.at(i * 4 + 3));
}

TEST_CASE("seq2seq decoder: decoder prompts may be longer than the start token, each of its own length") {
  Setting s;
  auto decoder = s.decoder();
  decoder.encode(s.batch);
  s.batch.decoder_inputs = {{0, 8, 30}, {0}, {0, 3}};
  const Rows expected = uncached(*s.model, s.method, s.batch);
  const Rows rows = rows_of(decoder.prefill(s.batch.decoder_inputs, {}).logits, decoder.vocabulary());
  check_row(rows.at(0), expected.at(2));
  check_row(rows.at(1), expected.at(3));
  check_row(rows.at(2), expected.at(5));
}

TEST_CASE("seq2seq decoder: a second batch does not see the first") {
  Setting s;
  auto decoder = s.decoder();
  decoder.encode(s.batch);
  (void)decoder.prefill(kStarts, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}, {1, 9, 1}, {2, 3, 2}}, {});
  Seq2SeqBatch other;
  other.sources = {{60, 61, 62, 1}};
  other.slots = {1};
  other.decoder_inputs = {{0}};
  decoder.encode(other);
  const Rows rows = rows_of(decoder.prefill(other.decoder_inputs, {}).logits, decoder.vocabulary());
  REQUIRE(rows.size() == 1);
  check_row(rows[0], uncached(*s.model, s.method, other)[0]);
}

TEST_CASE("seq2seq decoder: the cache holds the source once, however many beams there are") {
  Setting s;
  const std::int64_t row = 3 * 40 * 4 * 2;  // layers, heads x width, bytes, keys and values
  const std::int64_t encoder_rows = s.batch.source_rows() + 3 * 3;
  CHECK(s.decoder(1).cache_bytes() == row * (3 * 4 + encoder_rows));
  CHECK(s.decoder(5).cache_bytes() == row * (3 * 5 * 4 + encoder_rows));
}

TEST_CASE("seq2seq decoder: says what it cannot hold") {
  Setting s;
  auto decoder = s.decoder(1, 2);
  decoder.encode(s.batch);
  CHECK_THROWS_WITH_AS((void)decoder.prefill(std::vector<Ids>{{0}, {}, {0}}, {}),
                       "generation: an empty decoder prompt was given; wanted the start token at least", ConfigError);
  (void)decoder.prefill(kStarts, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {});
  CHECK_THROWS_WITH_AS((void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {}), "generation: a sequence of 3 rows; the cache holds 2",
                       ShapeError);
  s.batch.sources[0].push_back(1);
  CHECK_THROWS_AS(decoder.encode(s.batch), ShapeError);
}

}  // namespace seq2seq_decoder_test
