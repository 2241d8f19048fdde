#include "models/heads/headed_encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "peft/prompt_tuning.h"
#include "peft/training_step.h"
#include "tests/support/bert_models.h"
#include "tests/support/residence.h"
#include "tests/support/t5_models.h"

namespace headed_encoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const EncoderBatch kSequences = {.sequences = {{5, 17, 33, 2}, {90, 1}, {12, 70, 41}}};

HeadedEncoder with_head(EncoderModel& model, HeadKind kind, std::int64_t classes, std::uint64_t seed = 1) {
  return {model, {Head::fresh(model, kind, classes, seed, "base_model.")}};
}

float loss_of(const HeadedEncoder& encoder, const EncoderBatch& batch, const Method& method = NoMethod()) {
  return encoder_result(encoder, method, batch, headed::kLoss)[0];
}

/// Two examples with two and three choices.
const EncoderBatch kChoices = {.sequences = {{5, 17, 33}, {90, 1}, {12}, {70, 41, 2}, {8, 9, 10}},
                               .groups = {0, 0, 1, 1, 1},
                               .classes = {1, kNoLabel, 0, kNoLabel, kNoLabel}};

/// Steps of a program whose nodes lie in a scope.
struct Part {
  const Program& program;
  std::string scope;

  [[nodiscard]] std::vector<const Program::Step*> steps(std::string_view op, Phase phase) const {
    std::vector<const Program::Step*> found;
    for (const auto& step : program.steps()) {
      const Node& node = program.graph().node(step.node);
      if (node.scope == scope && node.phase == phase && node.op->name().starts_with(op)) found.push_back(&step);
    }
    return found;
  }
  /// Row spaces of the results of an op's forward nodes.
  [[nodiscard]] std::vector<std::string> spaces(std::string_view op) const {
    std::vector<std::string> names;
    for (const auto* step : steps(op, Phase::forward)) {
      const Type& type = program.graph().node(step->node).outputs[0];
      names.push_back(type.has_rows() ? program.graph().rows(type.rows).name : "");
    }
    std::ranges::sort(names);
    return names;
  }
};

TrainingStepOptions without_recomputation() {
  TrainingStepOptions options;
  options.memory = Budget::none();
  return options;
}

}  // namespace

TEST_CASE("headed encoder: under a head on the first token the last layer runs for one row a sequence") {
  const auto model = golden_bert();
  const PrefixTuning method = deep_prompt(*model, 5, 1);
  const TrainingStep step(loss_model(with_head(*model, HeadKind::sequence, 3), {3, 9}), method, without_recomputation());
  const std::string one = headed::name(0, headed::kLabelled);
  CHECK(step.program().graph().rows(step.program().graph().rows(one)).rows == 3);
  // keys and values see all tokens; query, output, feed-forward and norms do not
  CHECK(Part{step.program(), "layer.1.attention"}.spaces("linear") == std::vector<std::string>{one, one, "tokens", "tokens"});
  CHECK(Part{step.program(), "layer.1.attention"}.spaces("norm") == std::vector<std::string>{one});
  CHECK(Part{step.program(), "layer.1.feed_forward"}.spaces("feed_forward") == std::vector<std::string>{one});
  CHECK(Part{step.program(), "layer.1.feed_forward"}.spaces("norm") == std::vector<std::string>{one});
  CHECK(Part{step.program(), "layer.0.feed_forward"}.spaces("feed_forward") == std::vector<std::string>{"tokens"});
}

TEST_CASE("headed encoder: the first layer's attention has gradients for the prefix alone") {
  const auto model = golden_bert();
  const PrefixTuning method = deep_prompt(*model, 5, 1);
  const TrainingStep step(loss_model(with_head(*model, HeadKind::sequence, 3), {3, 9}), method, without_recomputation());
  const Part first{step.program(), "layer.0.attention"};
  const auto gradients = first.steps("attention_grad", Phase::backward);
  REQUIRE(gradients.size() == 1);
  const auto& out = gradients[0]->out;
  CHECK(out[Attention::kQuery].offset < 0);
  // the prefix takes the place of all keys: those of tokens are not kept
  const Graph& graph = step.program().graph();
  const Node& node = graph.node(gradients[0]->node);
  for (const std::size_t prefix : {Attention::kKey, Attention::kValue}) {
    CHECK(out[prefix].offset >= 0);
    CHECK(graph.rows(node.inputs[prefix].type().rows).rows == 5);
  }
  CHECK_FALSE(node.inputs[Attention::kPrefixKey].defined());
  // through the output's projection, not through those of query, key and value
  CHECK(first.steps("linear", Phase::backward).size() == 1);
  CHECK(Part{step.program(), "embeddings"}.steps("", Phase::backward).empty());
}

TEST_CASE("headed encoder: a linear probe has no backward pass through the encoder") {
  const auto model = golden_bert();
  const TrainingStep step(loss_model(with_head(*model, HeadKind::sequence, 3), {3, 9}), NoMethod(), {});
  REQUIRE(step.trainables().size() == 2);
  for (const auto* scope : {"layer.0.attention", "layer.1.attention", "layer.1.feed_forward"}) {
    CHECK(Part{step.program(), scope}.steps("", Phase::backward).empty());
  }
}

TEST_CASE("headed encoder: the loss of a batch is the sum of its sequences' losses, for every kind of head") {
  const auto bert = golden_bert();
  const auto roberta = golden_roberta();
  EncoderBatch batch = kSequences;
  batch.classes = {2, 0, 1};
  batch.values = {0.5F, -1, 2};
  batch.token_labels = {{1, kNoLabel, 0, 2}, {kNoLabel, kNoLabel}, {0, 1, kNoLabel}};
  batch.spans = {{1, 3}, {0, 0}, {}};
  for (EncoderModel* model : {static_cast<EncoderModel*>(bert.get()), static_cast<EncoderModel*>(roberta.get())}) {
    const PrefixTuning method = deep_prompt(*model, 3, 1);
    for (const auto& encoder : {with_head(*model, HeadKind::sequence, 3), with_head(*model, HeadKind::sequence, 1), with_head(*model, HeadKind::tokens, 3),
                                with_head(*model, HeadKind::span, 2), with_head(*model, HeadKind::masked_lm, 0)}) {
      CAPTURE(name_of(encoder.heads[0].kind()));
      double sum = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        EncoderBatch one{.sequences = {batch.sequences[i]},
                         .classes = {batch.classes[i]},
                         .values = {batch.values[i]},
                         .token_labels = {batch.token_labels[i]},
                         .spans = {batch.spans[i]}};
        sum += static_cast<double>(loss_of(encoder, one, method));
      }
      CHECK(static_cast<double>(loss_of(encoder, batch, method)) == doctest::Approx(sum).epsilon(1e-4));
      CHECK(sum > 0);
    }
  }
}

TEST_CASE("headed encoder: labels are counted as their heads read them") {
  EncoderBatch batch = kSequences;
  batch.classes = {2, kNoLabel, 1};
  batch.values = {0.5F, std::numeric_limits<float>::quiet_NaN(), 2};
  batch.token_labels = {{1, kNoLabel, 0, 2}, {kNoLabel, kNoLabel}, {0, 1, kNoLabel}};
  batch.spans = {{1, 3}, {0, 0}, {}};
  const auto count = [&](std::vector<HeadedLimits::Shape> heads) {
    return inputs_of(batch, {}, HeadedLimits{{{109, {64, 0}}, 2, true, std::nullopt}, Pooling::first_token, std::move(heads)}).labels();
  };
  CHECK(count({{HeadKind::sequence, 3}}) == 2);
  CHECK(count({{HeadKind::sequence, 1}}) == 2);
  CHECK(count({{HeadKind::tokens, 3}}) == 5);
  CHECK(count({{HeadKind::masked_lm, 109}}) == 5);
  CHECK(count({{HeadKind::span, 2}}) == 2);
  batch.heads = {1, 0, 0};
  CHECK(count({{HeadKind::sequence, 3}, {HeadKind::tokens, 3}}) == 4);
}

TEST_CASE("headed encoder: in a mixed batch every sequence has its own head") {
  const auto model = golden_bert();
  const Head classes = Head::fresh(*model, HeadKind::sequence, 3, 1, "0.base_model.");
  const Head tags = Head::fresh(*model, HeadKind::tokens, 4, 2, "1.base_model.");
  const PrefixTuning method = deep_prompt(*model, 3, 1);
  EncoderBatch batch = kSequences;
  batch.heads = {1, 0, 1};
  batch.classes = {kNoLabel, 2, kNoLabel};
  batch.token_labels = {{0, 3, kNoLabel, 1}, {kNoLabel, kNoLabel}, {2, 2, 2}};
  const HeadedEncoder both{*model, {classes, tags}};
  CHECK(encoder_result(both, method, batch, headed::name(0, headed::kLogits)).size() == 3);
  CHECK(encoder_result(both, method, batch, headed::name(1, headed::kLogits)).size() == 7 * 4);
  const float mixed = loss_of(both, batch, method);
  const float apart = loss_of({*model, {classes}}, {.sequences = {{90, 1}}, .classes = {2}}, method) +
                      loss_of({*model, {tags}}, {.sequences = {{5, 17, 33, 2}, {12, 70, 41}}, .token_labels = {{0, 3, kNoLabel, 1}, {2, 2, 2}}}, method);
  CHECK(mixed == doctest::Approx(apart).epsilon(1e-4));
}

TEST_CASE("headed encoder: a head that no sequence has gets zero gradients") {
  const auto model = golden_bert();
  const HeadedEncoder encoder{
      *model, {Head::fresh(*model, HeadKind::span, 2, 1, "0."), Head::fresh(*model, HeadKind::sequence, 1, 2, "1."), Head::fresh(*model, HeadKind::tokens, 2, 3, "2.")}};
  TrainingStep step(loss_model(encoder, {3, 9}), NoMethod(), {});
  EncoderBatch batch = kSequences;
  batch.heads = {2, 2, 2};
  batch.token_labels = {{1, 0, 0, 1}, {1, 1}, {0, 0, 0}};
  const std::vector<LossBatch> parts = {batch};
  (void)step.differentiate(parts);
  for (std::size_t i = 0; i < step.trainables().size(); ++i) {
    CAPTURE(step.trainables()[i].name);
    const auto gradient = step.gradient(i);
    REQUIRE(!gradient.empty());
    const bool zero = std::ranges::all_of(gradient, [](float x) { return x == 0; });
    CHECK(zero == !step.trainables()[i].name.starts_with("2."));
  }
}

TEST_CASE("headed encoder: the choices of an example compete in a softmax over their scores") {
  for (const auto pooler : {Pooler::automatic, Pooler::none}) {
    const auto model = golden_bert();
    const PrefixTuning method = deep_prompt(*model, 3, 1);
    const HeadedEncoder encoder{*model, {Head::fresh(*model, HeadKind::choice, 1, 1, "base_model.", pooler)}};
    const auto scores = encoder_result(encoder, method, kChoices, headed::name(0, headed::kLogits));
    REQUIRE(scores.size() == 5);
    const auto nll = [&](std::size_t first, std::size_t count, std::size_t right) {
      double sum = 0;
      for (std::size_t c = 0; c < count; ++c) sum += std::exp(static_cast<double>(scores[first + c]));
      return std::log(sum) - static_cast<double>(scores[first + right]);
    };
    CHECK(static_cast<double>(loss_of(encoder, kChoices, method)) == doctest::Approx(nll(0, 2, 1) + nll(2, 3, 0)).epsilon(1e-5));
    EncoderBatch half = kChoices;
    half.classes[0] = kNoLabel;
    CHECK(static_cast<double>(loss_of(encoder, half, method)) == doctest::Approx(nll(2, 3, 0)).epsilon(1e-5));
    CHECK(inputs_of(kChoices, {}, encoder.limits()).labels() == 2);
    CHECK(inputs_of(half, {}, encoder.limits()).labels() == 1);
  }
}

TEST_CASE("headed encoder: under a choice the last layer runs for one row a sequence, and keeps the sequences apart") {
  const auto model = golden_bert();
  const PrefixTuning method = deep_prompt(*model, 5, 1);
  const HeadedEncoder encoder = with_head(*model, HeadKind::choice, 1);
  const std::string one = headed::name(0, headed::kLabelled);
  for (const bool trains : {true, false}) {
    Graph graph;
    const Conditioning conditioning = method.condition(graph);
    CompileOptions options;
    options.memory = Budget::none();
    if (trains) {
      add_loss(encoder, graph, conditioning, {5, 12});
      options.loss = headed::kLoss;
    } else {
      add_label_logits(encoder, graph, conditioning, {5, 12});
    }
    const auto program = compile(std::move(graph), options);
    CHECK(program->graph().rows(program->graph().rows(one)).rows == 5);
    const Part attention{*program, "layer.1.attention"};
    CHECK(attention.spaces("linear") == std::vector<std::string>{one, one, "tokens", "tokens"});
    CHECK(attention.spaces("attention") == std::vector<std::string>{one});
    CHECK(Part{*program, "layer.1.feed_forward"}.spaces("feed_forward") == std::vector<std::string>{one});
    // the gradient of tanh reads its value, which is between the head's two maps
    const Part head{*program, "head"};
    CHECK((trains ? head.spaces("linear") : head.spaces("feed_forward")) == std::vector<std::string>(trains ? 2 : 1, one));
    CHECK(Part{*program, "head"}.spaces("regroup_rows") == std::vector<std::string>{headed::name(0, headed::kChoices)});
  }
}

TEST_CASE("headed encoder: gradients of a choice's and of label words' losses are central differences, in double") {
  EncoderBatch masked = kSequences;
  masked.token_labels = {{kNoLabel, 33, kNoLabel, kNoLabel}, {kNoLabel, 90}, {12, kNoLabel, kNoLabel}};
  for (const bool choice : {true, false}) {
    CAPTURE(choice);
    const auto model = golden_bert({.weights = Dtype::f64, .frozen = freeze_none});
    const Head head = choice ? Head::fresh(*model, HeadKind::choice, 1, 1, "base_model.")
                             : Head(*model, HeadKind::masked_lm, {}, "").restricted_to({90, 12, 33});
    HeadTensors exact;
    for (const auto& [name, tensor] : head.tensors()) exact.emplace(name, tensor.to(Dtype::f64));
    const HeadedEncoder encoder{*model, {choice ? Head(*model, HeadKind::choice, exact, "base_model.") : head}};
    const EncoderBatch& batch = choice ? kChoices : masked;
    Graph graph(Dtype::f64);
    add_loss(encoder, graph, {}, batch.capacity());
    CompileOptions options;
    options.loss = headed::kLoss;
    Session session(compile(std::move(graph), options));
    const auto run = [&] {
      feed(session, batch, {}, encoder.limits(), 0.5);
      session.run();
      return session.result<double>(headed::kLoss)[0];
    };
    for (const std::string name : {choice ? "bert.pooler.dense.weight" : "cls.predictions.bias", "bert.embeddings.LayerNorm.bias",
                                   "bert.encoder.layer.1.attention.self.query.weight", "bert.embeddings.word_embeddings.weight"}) {
      CAPTURE(name);
      (void)run();
      const Tensor gradient = session.result_tensor("grad." + name);
      Tensor tensor = model->parameters().loaded().at(name);
      const auto values = tensor.values<double>();
      const auto given = std::as_const(gradient).values<double>();
      double largest = 0;
      // every 37th number, and all rows of the words
      for (std::size_t i = 0; i < values.size(); i += values.size() < 200 ? 1 : 37) {
        constexpr double kStep = 1e-5;
        const auto loss_at = [&](double value) {
          values[i] = value;
          uploaded(tensor);
          return run();
        };
        const double kept = values[i];
        const double above = loss_at(kept + kStep);
        const double below = loss_at(kept - kStep);
        values[i] = kept;
        uploaded(tensor);
        CHECK(given[i] == doctest::Approx((above - below) / (2 * kStep)).epsilon(1e-5).scale(1e-3));
        largest = std::max(largest, std::abs(given[i]));
      }
      CHECK(largest > 1e-4);
    }
  }
}

TEST_CASE("headed encoder: a head that is restricted to words makes their logits alone, and the same ones") {
  const auto bert = golden_bert();
  const auto roberta = golden_roberta();
  const std::vector<std::int32_t> words = {90, 12, 33};
  EncoderBatch batch = kSequences;
  batch.token_labels = {{kNoLabel, 33, kNoLabel, kNoLabel}, {kNoLabel, 90}, {12, kNoLabel, kNoLabel}};
  for (EncoderModel* model : {static_cast<EncoderModel*>(bert.get()), static_cast<EncoderModel*>(roberta.get())}) {
    const PrefixTuning method = deep_prompt(*model, 3, 1);
    const Head whole(*model, HeadKind::masked_lm, {}, "");
    const auto all = encoder_result({*model, {whole}}, method, batch, headed::name(0, headed::kLogits));
    const HeadedEncoder few{*model, {whole.restricted_to(words)}};
    const auto logits = encoder_result(few, method, batch, headed::name(0, headed::kLogits));
    REQUIRE(logits.size() == 9 * words.size());
    const auto vocabulary = static_cast<std::size_t>(model->vocabulary());
    for (std::size_t row = 0; row < 9; ++row) {
      for (std::size_t c = 0; c < words.size(); ++c)
        CHECK(logits[row * words.size() + c] == doctest::Approx(all[row * vocabulary + static_cast<std::size_t>(words[c])]).epsilon(1e-5));
    }
    double expected = 0;
    const auto nll = [&](std::size_t row, std::size_t right) {
      double sum = 0;
      for (std::size_t c = 0; c < words.size(); ++c) sum += std::exp(static_cast<double>(logits[row * words.size() + c]));
      expected += std::log(sum) - static_cast<double>(logits[row * words.size() + right]);
    };
    nll(1, 2);
    nll(5, 0);
    nll(6, 1);
    CHECK(static_cast<double>(loss_of(few, batch, method)) == doctest::Approx(expected).epsilon(1e-4));
    // nothing as wide as the vocabulary is computed
    const TrainingStep step(loss_model(few, {3, 9}), method, without_recomputation());
    for (const auto& made : step.program().steps()) {
      for (const auto& type : step.program().graph().node(made.node).outputs) {
        for (const auto dim : type.dims) CHECK(dim != model->vocabulary());
      }
    }
    batch.token_labels[1][1] = 91;
    CHECK_THROWS_WITH_AS((void)inputs_of(batch, {}, few.limits()), "sequence 1: label 91 was given; wanted one of the words [90, 12, 33]",
                         ConfigError);
    batch.token_labels[1][1] = 90;
  }
}

TEST_CASE("headed encoder: choices and classes share a batch") {
  const auto model = golden_bert();
  const Head classes = Head::fresh(*model, HeadKind::sequence, 3, 1, "0.base_model.");
  const Head choices = Head::fresh(*model, HeadKind::choice, 1, 2, "1.base_model.");
  EncoderBatch batch{
      .sequences = {{90, 1}, {5, 17}, {33, 2}, {7}}, .heads = {0, 1, 1, 0}, .groups = {0, 1, 1, 2}, .classes = {2, 1, kNoLabel, 0}};
  const float apart = loss_of({*model, {classes}}, {.sequences = {{90, 1}, {7}}, .classes = {2, 0}}) +
                      loss_of({*model, {choices}}, {.sequences = {{5, 17}, {33, 2}}, .groups = {0, 0}, .classes = {1, kNoLabel}});
  CHECK(loss_of({*model, {classes, choices}}, batch) == doctest::Approx(apart).epsilon(1e-4));
  batch.groups = {0, 1, 1, 1};
  CHECK_THROWS_WITH_AS((void)loss_of({*model, {classes, choices}}, batch),
                       "sequence 3: a choice of the same example has another head; wanted one", ConfigError);
}

TEST_CASE("headed encoder: pooling decides between the first token and the first virtual one") {
  const auto model = golden_bert();
  const PromptTuning method({random_prompt(3, 32, 4)});
  HeadedEncoder encoder = with_head(*model, HeadKind::sequence, 3);
  const std::string logits = headed::name(0, headed::kLogits);
  const auto token = encoder_result(encoder, method, kSequences, logits);
  encoder.pooling = Pooling::first_row;
  CHECK(encoder_result(encoder, method, kSequences, logits) != token);
  // without a prompt they are one
  const auto row = encoder_result(encoder, NoMethod(), kSequences, logits);
  encoder.pooling = Pooling::first_token;
  CHECK(encoder_result(encoder, NoMethod(), kSequences, logits) == row);
}

TEST_CASE("headed encoder: labels that do not fit are errors that name them") {
  const HeadedLimits limits{{{109, {64, 0}}, 2, true, std::nullopt}, Pooling::first_token, {{HeadKind::sequence, 3}, {HeadKind::span, 2}, {HeadKind::tokens, 4}}};
  const auto changed = [&](auto change) {
    EncoderBatch batch = kSequences;
    batch.heads = {0, 1, 2};
    batch.classes = {0, kNoLabel, kNoLabel};
    batch.spans = {{}, {0, 1}, {}};
    batch.token_labels = {Ids(4, kNoLabel), Ids(2, kNoLabel), {0, 3, 1}};
    change(batch);
    return inputs_of(batch, {}, limits).labels();
  };
  CHECK(changed([](EncoderBatch&) {}) == 5);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.heads[1] = 3; }), "sequence 1: head 3 was given; there are 3", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.classes[0] = 3; }), "sequence 0: label 3 was given; there are 3 classes", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.token_labels[2][1] = -1; }), "sequence 2: label -1 was given; there are 4 classes", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.token_labels[2].pop_back(); }), "sequence 2: 2 labels were given for 3 tokens", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.spans[1].end = 2; }), "sequence 1: a span from 0 to 2 was given; the sequence has 2 tokens", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.spans[1].end = kNoLabel; }), "sequence 1: a span from 0 to -100 was given; wanted both ends or none",
                       ConfigError);
  const HeadedLimits choices{{{109, {64, 0}}, 2, true, std::nullopt}, Pooling::first_token, {{HeadKind::choice, 1}}};
  const auto of_groups = [&](Ids groups, std::int32_t right) {
    EncoderBatch batch = kSequences;
    batch.groups = std::move(groups);
    batch.classes = {right, kNoLabel, kNoLabel};
    return inputs_of(batch, {}, choices).labels();
  };
  CHECK(of_groups({0, 0, 0}, 2) == 1);
  CHECK_THROWS_WITH_AS(of_groups({0, 0, 1}, 2), "sequence 0: label 2 was given; there are 2 choices", ConfigError);
  CHECK_THROWS_WITH_AS(of_groups({0, 0, 1}, -1), "sequence 0: label -1 was given; there are 2 choices", ConfigError);
  CHECK_THROWS_WITH_AS(of_groups({0, 1, 1}, 0), "sequence 0: an example of one choice was given; wanted two at least", ConfigError);
  CHECK_THROWS_WITH_AS(of_groups({}, 0), "sequence 0: an example of one choice was given; wanted two at least", ConfigError);
  CHECK_THROWS_WITH_AS(of_groups({0, 0}, 0), "batch: groups of 2 sequences were given; wanted 3", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.classes.pop_back(); }), "batch: classes of 2 sequences were given; wanted 3", ShapeError);
}

}  // namespace headed_encoder_test
