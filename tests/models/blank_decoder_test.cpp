#include "models/blank_decoder.h"

#include <cmath>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/glm/glm.h"
#include "models/heads/headed_encoder.h"
#include "peft/prompt_tuning.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"
#include "tests/support/values.h"

namespace blank_decoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int32_t kStart = 112, kMask = 115;

PromptSlot prompt_of(std::int64_t rows, std::uint64_t seed) { return {random_floats({rows, 32}, seed), rows}; }

/// The golden GLM and prompts of different lengths.
struct Setting {
  [[nodiscard]] BlankDecoder decoder() {
    const CausalDecoderCapacity capacity{.sequences = 3, .prompt_tokens = 20, .beams = 2, .longest = 12, .new_tokens = 4};
    return {*model, [this](Graph& graph) { return method.condition(graph); }, capacity};
  }

  /// Logits behind the last token of one sequence, by a plain pass.
  [[nodiscard]] std::vector<float> plain(const Ids& sequence, std::int32_t slot) {
    EncoderBatch batch;
    batch.sequences = {sequence};
    batch.slots = {slot};
    const HeadedEncoder encoder{*model, {Head(*model, HeadKind::masked_lm, {}, "")}};
    Graph graph;
    const Conditioning conditioning = method.condition(graph);
    add_logits(encoder, graph, conditioning, batch.capacity(), false);
    Session session(compile(std::move(graph)));
    feed(session, batch, conditioning, encoder.limits(), 1);
    session.run();
    const auto all = session.result<float>(headed::name(0, headed::kLogits));
    const auto width = static_cast<std::size_t>(model->vocabulary());
    return {all.end() - static_cast<std::ptrdiff_t>(width), all.end()};
  }

  std::unique_ptr<Glm> model = Glm::open(golden("glm/model"));
  PromptTuning method{{prompt_of(3, 1), prompt_of(1, 2)}};
  std::vector<Ids> prompts = {{5, 17, kMask, 2, kStart}, {kMask, kStart, 4, kStart}, {12, 70, 9, kMask, kStart, 30}};
  std::vector<std::int32_t> slots = {0, 1, 0};
};

void check_row(std::span<const float> logits, std::size_t row, const std::vector<float>& expected) {
  double squares = 0, error = 0;
  for (std::size_t v = 0; v < expected.size(); ++v) {
    const double x = expected[v];
    squares += x * x;
    error += std::pow(static_cast<double>(logits[row * expected.size() + v]) - x, 2);
  }
  CHECK(std::sqrt(error) <= 1e-5 * std::sqrt(squares));
}

}  // namespace

TEST_CASE("blank decoder: cached logits are those of each sequence alone, token by token") {
  Setting s;
  auto decoder = s.decoder();
  decoder.use_slots(s.slots);
  ScoreRows rows = decoder.prefill(s.prompts, {});
  for (std::int32_t t = 0; t < 4; ++t) {
    CAPTURE(t);
    for (std::size_t i = 0; i < 3; ++i) check_row(rows.logits, i, s.plain(s.prompts[i], s.slots[i]));
    if (t == 3) break;
    std::vector<StepRow> next;
    for (std::int32_t i = 0; i < 3; ++i) {
      next.push_back({i, 20 + 7 * t + i, i});
      s.prompts[static_cast<std::size_t>(i)].push_back(20 + 7 * t + i);
    }
    rows = decoder.step(next, {});
  }
}

TEST_CASE("blank decoder: beams branch") {
  Setting s;
  auto decoder = s.decoder();
  decoder.use_slots(s.slots);
  (void)decoder.prefill(s.prompts, {});
  const ScoreRows rows = decoder.step(std::vector<StepRow>{{1, 40, 1}, {1, 41, 1}}, {});
  for (const std::int32_t token : {40, 41}) {
    Ids sequence = s.prompts[1];
    sequence.push_back(token);
    check_row(rows.logits, static_cast<std::size_t>(token - 40), s.plain(sequence, 1));
  }
}

TEST_CASE("blank decoder: a text without an open piece is refused, and the caches are as large as said") {
  Setting s;
  auto decoder = s.decoder();
  CHECK_THROWS_WITH_AS((void)decoder.prefill(std::vector<Ids>{{5, kMask}}, {}),
                       "generation: sequence 0 has no open piece; wanted a text with a mask and the token that begins a piece", ConfigError);
  Graph graph;
  const CausalDecoderCapacity capacity{.sequences = 3, .prompt_tokens = 20, .beams = 2, .longest = 12, .new_tokens = 4};
  CHECK(cache_need(*s.model, s.method.condition(graph), capacity).total() == decoder.cache_bytes());
}

}  // namespace blank_decoder_test
