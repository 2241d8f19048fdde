// What prune_rows leaves out changes nothing: losses, gradients and features of every model with every method, in double precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/core/random.h"
#include "engine/runtime/compile.h"
#include "models/building.h"
#include "models/made_up_model.h"
#include "peft/loss_model.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"
#include "peft/prompt_tuning.h"
#include "tests/support/exact_graphs.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"
#include "tests/support/residence.h"
#include "tests/support/values.h"

namespace pruning_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Small shapes with made-up weights.
const std::vector<std::string> kModels = {"t5-v10", "t5-v11", "gpt2", "bart", "bert", "roberta", "deberta-v2", "deberta-small/model-absolute",
                                         "mistral", "qwen3", "gpt_neox"};
const std::vector<std::string> kMethods = {"prompt", "lstm prompt", "prefix", "mlp prefix", "full"};

struct Case {
  std::string model;
  std::string method;
  Placement placement = Placement::prefix;
  bool dropout = false;
  HeadKind head = HeadKind::sequence;  ///< of an encoder

  [[nodiscard]] std::string describe() const {
    return fmt::format("{}, {}{}{}, {}", model, method, placement == Placement::infix ? " between source and target" : "",
                       dropout ? ", dropout" : "", name_of(head));
  }
};

std::unique_ptr<LanguageModel> open(const std::string& name, const std::string& method) {
  const std::string folder = name.find('/') != std::string::npos ? name : name + "/model";
  return made_up_model(golden(folder).string(), random_source(7), {.frozen = method == "full" ? freeze_none : freeze_all});
}

Tensor small_floats(Dims dims, std::uint64_t seed) {
  Tensor tensor = random_floats(std::move(dims), seed);
  for (auto& x : tensor.values<float>()) x *= 0.5F;
  return tensor;
}

std::vector<Site> sites_of(const LanguageModel& model) {
  if (dynamic_cast<const EncoderDecoder*>(&model) != nullptr) return {Site::encoder_self, Site::decoder_self, Site::cross};
  return {model.prefix_site()};
}

PrefixSlot prefix_slot(const LanguageModel& model, std::int64_t rows, bool mlp, std::uint64_t seed, const std::string& slot) {
  PrefixSlot result;
  for (const Site site : sites_of(model)) {
    const AttentionShape shape = model.attention_shape(site);
    const std::int64_t columns = shape.layers * 2 * shape.kv_width();
    SitePrefixTable table;
    table.heads = shape.kv_heads;
    table.head_dim = shape.head_dim;
    table.pair_of_layer = pairs_of_layers(shape.layers, 1);
    table.names = fmt::format("{}{}.", slot, name_of(site));
    seed += 10;
    if (mlp) {
      table.source = PromptEncoder::random({EncoderKind::projection, rows, 6, 5, columns, 0}, seed);
    } else {
      table.source = PackedRows{small_floats({rows, columns}, seed)};
    }
    result.emplace(site, std::move(table));
  }
  return result;
}

/// Two slots, of three rows and of one.
std::unique_ptr<Method> method_for(const Case& test, const LanguageModel& model) {
  const std::int64_t width = model.width();
  if (test.method == "prompt") {
    std::vector<PromptSlot> slots = {{small_floats({3, width}, 1), 3}, {small_floats({1, width}, 2), 1}};
    return std::make_unique<PromptTuning>(std::move(slots), test.placement);
  }
  if (test.method == "lstm prompt") {
    const auto encoder = [&](std::int64_t rows, std::uint64_t seed) {
      return EncodedPrompt{PromptEncoder::random({EncoderKind::lstm, rows, width, 5, width, 1}, seed), rows};
    };
    return std::make_unique<PTuning>(std::vector{encoder(3, 3), encoder(1, 4)}, test.placement);
  }
  if (test.method == "full") return std::make_unique<NoMethod>();
  const bool mlp = test.method == "mlp prefix";
  return std::make_unique<PrefixTuning>(std::vector{prefix_slot(model, 3, mlp, 5, ""), prefix_slot(model, 1, mlp, 6, "")},
                                        PrefixPositions{.shifted = true, .relative = true, .placement = test.placement});
}

/// Four examples of different lengths with both slots; some tokens have a label, and one sequence has none.
std::vector<Example> examples_for(const LanguageModel& model, HeadKind head) {
  Random random(11);
  const auto ids = [&](std::int64_t count, std::int64_t below) {
    std::vector<std::int32_t> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(below))));
    return result;
  };
  const std::array<std::int64_t, 4> lengths = {6, 3, 8, 5};
  std::vector<Example> examples(lengths.size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    Example& example = examples[i];
    example.slot = i % 2 == 0 ? 0 : 1;
    example.source = ids(lengths[i], model.vocabulary());
    if (dynamic_cast<const EncoderModel*>(&model) == nullptr) {
      example.target = ids(3, model.vocabulary());
      continue;
    }
    if (i == 3 && head != HeadKind::sequence) continue;
    example.label = static_cast<std::int32_t>(i % 2);
    example.begin = 1;
    example.end = 2;
    example.tags = ids(lengths[i], 2);
    example.tags[1] = kNoTag;
    if (head == HeadKind::choice) example.choices = {2, static_cast<std::int32_t>(lengths[i]) - 2};
  }
  return examples;
}

/// A case as a graph, the batch that it is fed with, and its trained tensors in double precision.
class Problem {
 public:
  explicit Problem(const Case& test) : model_(open(test.model, test.method)), method_(method_for(test, *model_)) {
    const std::vector<Example> examples = examples_for(*model_, test.head);
    if (auto* encoder = dynamic_cast<EncoderModel*>(model_.get())) {
      loss_ = loss_model_for(HeadedEncoder{*encoder, {Head::fresh(*encoder, test.head, 2, 0, "base_model.")}}, examples, {}, 1);
    } else {
      loss_ = loss_model_for(*model_, examples, {}, 1);
    }
    std::vector<const Example*> pointers;
    for (const auto& example : examples) pointers.push_back(&example);
    batch_ = loss_->batch_of(pointers);
    if (test.dropout) graph_.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
    conditioning_ = method_->condition(graph_);
    if (test.dropout) conditioning_.dropout = {.hidden = 0.2, .attention = 0.25, .prefix = 0.3};
    drop_prefixes(graph_, conditioning_);
    loss_->build(graph_, conditioning_, 0);
  }

  struct Result {
    double loss = 0;
    std::map<std::string, std::vector<double>> gradients;
  };

  [[nodiscard]] std::shared_ptr<const Program> program(const CompileOptions& options) {
    return compile(in_double(graph_, trained_), options);
  }

  /// Loss and gradients under one fixed mask.
  [[nodiscard]] Result run(const CompileOptions& options) {
    Session session(program(options));
    run(session);
    Result result{session.result<double>(LossModel::kLoss)[0], {}};
    for (const auto& [name, value] : session.program().graph().outputs()) {
      if (name.starts_with("grad.")) result.gradients[name.substr(5)] = numbers(session.result_tensor(name));
    }
    return result;
  }

  /// The derivative of the loss along a direction of length 1, by a central difference, and the same by the gradients.
  [[nodiscard]] std::pair<double, double> derivatives(const Result& at) {
    constexpr double kStep = 3e-5;
    Random random(3);
    std::map<std::string, std::vector<double>> direction;
    double by_gradients = 0;
    double squares = 0;
    for (const auto& [name, gradient] : at.gradients) {
      for (const double g : gradient) {
        const double x = direction[name].emplace_back(random.normal());
        squares += x * x;
        by_gradients += g * x;
      }
    }
    const double length = std::sqrt(squares);
    Session session(program({}));
    const auto move = [&](double by) {
      for (auto& [name, steps] : direction) {
        const auto values = trained_.at(name).values<double>();
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += by / length * steps[i];
        uploaded(trained_.at(name));
      }
      run(session);
      return session.result<double>(LossModel::kLoss)[0];
    };
    const double up = move(kStep);
    const double down = move(-2 * kStep);
    (void)move(kStep);
    return {(up - down) / (2 * kStep), by_gradients / length};
  }

 private:
  /// Runs the batch under one fixed mask.
  void run(Session& session) const {
    loss_->inputs(batch_, conditioning_).feed(session, {0.1});
    if (session.program().has_input(kDropoutKey)) session.set<std::int32_t>(kDropoutKey, std::array{12345, -678});
    session.run();
  }

  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<LossModel> loss_;
  LossBatch batch_;
  Graph graph_;
  Conditioning conditioning_;
  ExactTensors trained_;
};

void check_differences(const Case& test) {
  CAPTURE(test.describe());
  Problem problem(test);
  const Problem::Result result = problem.run({.loss = std::string(LossModel::kLoss)});
  REQUIRE(!result.gradients.empty());
  const auto [difference, product] = problem.derivatives(result);
  CHECK(product == doctest::Approx(difference).epsilon(1e-6));
}

/// Features of an encoder with a prompt: from a program that may compute the rows of tokens alone, and from one that keeps all rows.
void check_features(const std::string& name) {
  CAPTURE(name);
  const auto model = open(name, "prompt");
  auto& encoder = dynamic_cast<EncoderModel&>(*model);
  const auto method = method_for({name, "prompt"}, *model);
  const EncoderBatch batch{.sequences = {{3, 4, 5, 6, 7, 8}, {9, 10, 11}}, .slots = {0, 1}};
  const HeadedEncoder headed{encoder, {}};
  const auto features = [&](bool all_rows) {
    Graph graph;
    const Conditioning conditioning = method->condition(graph);
    add_features(encoder, graph, conditioning, batch.capacity());
    if (all_rows) graph.output("all", graph.node(graph.output(headed::kHidden)).inputs.at(0));
    ExactTensors trained;
    Session session(compile(in_double(graph, trained)));
    feed(session, batch, conditioning, headed.limits(), 1);
    session.run();
    return numbers(session.result_tensor(headed::kHidden));
  };
  check_close(features(false), features(true), 1e-12);
}

}  // namespace

TEST_CASE("pruning: the gradient of an infix uses the masks of the forward pass") {
  for (const auto* method : {"prompt", "lstm prompt"}) check_differences({"gpt2", method, Placement::infix, true});
}

TEST_CASE("pruning: features of tokens behind a prompt see the positions that the tokens have") {
  for (const auto* model : {"bert", "roberta", "deberta-v2", "deberta-small/model-absolute"}) check_features(model);
}

namespace {

/// Attentions whose queries are a subset of the rows.
std::int64_t attentions_of_subsets(const Graph& graph) {
  return std::ranges::count_if(graph.nodes(), [&](const Node& node) {
    return node.op && node.op->name() == "attention" && graph.rows(node.outputs.front().rows).is_subset();
  });
}

/// Every method that a model takes, where it can stand, with and without dropout. An encoder's heads read different rows.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& model : kModels) {
    const bool encoder = model.starts_with("bert") || model.starts_with("roberta") || model.starts_with("deberta");
    for (const auto& method : kMethods) {
      for (const bool dropout : {false, true}) {
        cases.push_back({model, method, Placement::prefix, dropout});
        const bool decoder = model == "gpt2" || model == "qwen3" || (model == "mistral" && !method.ends_with("prefix"));
        if (decoder && method != "full") cases.push_back({model, method, Placement::infix, dropout});
        if (!encoder) continue;
        for (const auto head : {HeadKind::tokens, HeadKind::span, HeadKind::choice, HeadKind::masked_lm}) {
          // one method has rows in the sequence, the other has none
          if (method == "prompt" || method == "prefix") cases.push_back({model, method, Placement::prefix, dropout, head});
        }
      }
    }
  }
  return cases;
}

}  // namespace

TEST_CASE("pruning: losses and gradients are those of all rows, for every model, method, placement and dropout") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.describe());
    Problem problem(test);
    const CompileOptions pruned{.loss = std::string(LossModel::kLoss), .memory = Budget::none()};
    CompileOptions whole = pruned;
    whole.prune = false;
    const Problem::Result result = problem.run(pruned);
    const Problem::Result expected = problem.run(whole);
    CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-12));
    REQUIRE(!expected.gradients.empty());
    REQUIRE(result.gradients.size() == expected.gradients.size());
    for (const auto& [name, gradient] : expected.gradients) {
      CAPTURE(name);
      check_close(result.gradients.at(name), gradient, 1e-11);
    }
    const auto [difference, product] = problem.derivatives(result);
    CHECK(product == doctest::Approx(difference).epsilon(1e-5));
  }
}

TEST_CASE("pruning: what is computed again for the backward pass has the rows and masks of the forward pass") {
  for (const Case& test : {Case{"gpt2", "prompt", Placement::infix, true}, Case{"bert", "prompt", Placement::prefix, true, HeadKind::tokens},
                           Case{"t5-v11", "prompt", Placement::prefix, true}, Case{"deberta-v2", "prefix", Placement::prefix, true}}) {
    CAPTURE(test.describe());
    Problem problem(test);
    const std::string loss(LossModel::kLoss);
    const Problem::Result result = problem.run({.loss = loss, .memory = Budget::smallest()});
    const Problem::Result expected = problem.run({.loss = loss, .memory = Budget::none(), .prune = false});
    CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-12));
    for (const auto& [name, gradient] : expected.gradients) check_close(result.gradients.at(name), gradient, 1e-11);
  }
}

TEST_CASE("pruning: the last layer attends from the rows that are read, for every model and method") {
  for (const auto& model : kModels) {
    for (const auto& method : kMethods) {
      CAPTURE(model);
      CAPTURE(method);
      Problem problem({model, method});
      const auto attentions = [&](bool prune) {
        const std::string loss(LossModel::kLoss);
        return attentions_of_subsets(problem.program({.loss = loss, .memory = Budget::none(), .prune = prune})->graph());
      };
      CHECK(attentions(true) > 0);
      CHECK(attentions(false) == 0);
    }
  }
}

}  // namespace pruning_test
