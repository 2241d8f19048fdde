// What prompt tuning computes and keeps, read off its compiled program, beside full fine-tuning.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/optim/optimizer.h"
#include "peft/training_step.h"
#include "tests/support/allocations.h"
#include "tests/support/graphs.h"
#include "tests/support/residence.h"
#include "tests/support/t5_models.h"
#include "tests/support/threads.h"

namespace prompt_program_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kTokens = 4;

/// Nodes of a phase in a scope and what lies in it.
std::int64_t nodes_of(const Graph& graph, Phase phase, std::string_view scope) {
  return std::ranges::count_if(graph.nodes(),
                               [&](const Node& node) { return node.op && node.phase == phase && node.scope.starts_with(scope); });
}

/// Names of the leaves whose gradients are results.
std::set<std::string> gradients(const Graph& graph) {
  std::set<std::string> names;
  for (const auto& [name, value] : graph.outputs()) {
    if (name.starts_with("grad.")) names.insert(name.substr(5));
  }
  return names;
}

/// The golden T5 under prompt tuning.
struct PromptRun {
  explicit PromptRun(Budget budget = Budget::automatic(), std::uint64_t seed = 5)
      : method({random_prompt(kTokens, 36, seed)}),
        step(*model, method, small_batch().capacity(), {.memory = budget, .max_grad_norm = 1}) {}

  /// Losses of a few updates on one batch.
  std::vector<double> train(int updates) {
    const auto optimizer = make_adamw(step.shapes(), {.weight_decay = 0.01});
    step.optimize_with(*optimizer);
    const std::vector<LossBatch> parts = {small_batch()};
    std::vector<double> losses;
    for (int k = 0; k < updates; ++k) {
      losses.push_back(step.update(parts, 0.1, k).loss);
    }
    return losses;
  }

  std::unique_ptr<T5> model = golden_t5();
  PromptTuning method;
  TrainingStep step;
};

/// The same under full fine-tuning, with room for as many encoder rows as the prompts make.
struct FullRun {
  FullRun() : step(*model, method, {.sequences = 3, .source_rows = small_batch().source_rows() + 3 * kTokens, .target_rows = 10}, {}) {}

  std::unique_ptr<T5> model = golden_t5({.frozen = freeze_none});
  NoMethod method;
  TrainingStep step;
};

}  // namespace

TEST_CASE("prompt program: the prompt's gradient is the only one, and no weight's is computed on the way") {
  const PromptRun prompt;
  const FullRun full;
  CHECK(gradients(prompt.step.program().graph()) == std::set<std::string>{"prompt_embeddings"});
  CHECK(count_ops(prompt.step.program().graph(), "outer_sum") == 0);
  CHECK(count_ops(prompt.step.program().graph(), "sum_rows") == 0);
  // every weight of full fine-tuning has one; the head's is made with its loss
  CHECK(gradients(full.step.program().graph()).size() == full.model->parameters().loaded().size());
  CHECK(count_ops(full.step.program().graph(), "outer_sum") == 2 * 7 + 3 * 11);
}

TEST_CASE("prompt program: the decoder's first self-attention stands below the prompt and has no backward pass") {
  const PromptRun plain(Budget::none());
  const PromptRun small(Budget::smallest());
  const FullRun full;
  const Graph& prompt = plain.step.program().graph();
  CHECK(nodes_of(prompt, Phase::backward, "decoder.block.0.self_attention") == 0);
  CHECK(nodes_of(prompt, Phase::recompute, "decoder.block.0.self_attention") == 0);
  CHECK(nodes_of(small.step.program().graph(), Phase::backward, "decoder.block.0.self_attention") == 0);
  CHECK(nodes_of(prompt, Phase::backward, "decoder.block.0.cross_attention") > 0);
  CHECK(nodes_of(prompt, Phase::backward, "decoder.block.1.self_attention") > 0);
  CHECK(nodes_of(prompt, Phase::backward, "encoder.block.0.self_attention") > 0);
  CHECK(nodes_of(full.step.program().graph(), Phase::backward, "decoder.block.0.self_attention") > 0);
}

TEST_CASE("prompt program: the backward pass keeps no input of a frozen product, norm scales apart") {
  const PromptRun prompt;
  const Graph& graph = prompt.step.program().graph();
  for (const auto& node : graph.nodes()) {
    if (!node.op || node.phase != Phase::backward || node.op->name() != "linear") continue;
    // dx = dy W: the weight is a leaf, everything else belongs to the backward pass or is the head's gradient
    CHECK(graph.node(node.inputs[Linear::kWeight]).role == Role::frozen);
    const Node& gradient = graph.node(node.inputs[Linear::kInput]);
    CHECK((gradient.phase == Phase::backward || gradient.op->name() == "linear_cross_entropy"));
  }
}

TEST_CASE("prompt program: the head works on labelled rows alone, and logits never exist") {
  const PromptRun prompt;
  const Graph& graph = prompt.step.program().graph();
  CHECK(count_ops(graph, "linear_cross_entropy") == 1);
  CHECK(count_ops(graph, "cross_entropy") == 0);
  for (const auto& node : graph.nodes()) {
    if (!node.op) continue;
    if (node.op->name() == "linear_cross_entropy") {
      const Type& rows = node.inputs[0].type();
      CHECK(graph.rows(rows.rows).name == seq2seq::kLabelled);
    }
    for (const auto& type : node.outputs) CHECK(!(type.has_rows() && type.width() == 113));
  }
}

TEST_CASE("prompt program: the last decoder layer computes rows with a label alone, but for its keys and values") {
  const PromptRun prompt;
  const Graph& graph = prompt.step.program().graph();
  for (const auto& node : graph.nodes()) {
    if (!node.op || node.phase != Phase::forward || !node.scope.starts_with("decoder.block.2.feed_forward")) continue;
    CHECK(graph.rows(node.outputs[0].rows).name == seq2seq::kLabelled);
  }
}

TEST_CASE("prompt program: the first encoder layer's backward pass ends in the prompt's rows") {
  const PromptRun prompt;
  const Graph& graph = prompt.step.program().graph();
  const auto in_prompt_rows = std::ranges::count_if(graph.nodes(), [&](const Node& node) {
    return node.op && node.phase == Phase::backward && node.outputs[0].has_rows() &&
           graph.rows(node.outputs[0].rows).name == seq2seq::kPromptRows;
  });
  CHECK(in_prompt_rows > 1);
  CHECK(graph.output("grad.prompt_embeddings").type() == Type{Dtype::f32, kNoRows, {kTokens, 36}});
}

TEST_CASE("prompt program: costs less than full fine-tuning, in operations and in kept memory") {
  const PromptRun prompt;
  const FullRun full;
  CHECK(prompt.step.program().flops(Phase::backward) < 0.7 * full.step.program().flops(Phase::backward));
  CHECK(prompt.step.program().arena_bytes() < full.step.program().arena_bytes());
  CHECK(prompt.step.program().leaf_bytes(Role::trainable) == kTokens * 36 * 4);
}

TEST_CASE("prompt program: training lowers the loss and leaves every byte of the backbone as it was") {
  PromptRun run;
  const std::uint64_t before = run.model->parameters().frozen_hash();
  const auto losses = run.train(12);
  CHECK(losses.back() < 0.95 * losses.front());
  CHECK(run.model->parameters().frozen_hash() == before);
  CHECK(golden_t5()->parameters().frozen_hash() == before);
}

TEST_CASE("prompt program: the same seed gives the same losses to the bit, with any number of threads") {
  std::vector<std::vector<double>> runs;
  for (const int threads : {1, 1, 2}) {
    const Threads limit(threads);
    runs.push_back(PromptRun().train(4));
  }
  CHECK(runs[0] == runs[1]);
  CHECK(runs[0] == runs[2]);
  CHECK(runs[0] != PromptRun(Budget::automatic(), 6).train(4));
}

TEST_CASE("prompt program: the smallest budget gives nearly the same losses in less memory") {
  PromptRun plain;
  PromptRun small(Budget::smallest());
  const auto expected = plain.train(4);
  const auto losses = small.train(4);
  for (std::size_t k = 0; k < losses.size(); ++k) CHECK(losses[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  CHECK(small.step.program().arena_bytes() < plain.step.program().arena_bytes());
}

TEST_CASE("prompt program: running it allocates nothing" * doctest::test_suite(kHostMemory)) {
  PromptRun run;
  const Seq2SeqBatch batch = small_batch();
  Session session([&] {
    Graph graph;
    add_loss(*run.model, graph, run.method.condition(graph), batch.capacity());
    return compile(std::move(graph), {.loss = std::string(seq2seq::kLoss)});
  }());
  Graph described;
  const Conditioning conditioning = run.method.condition(described);
  std::int64_t made = 0;
  // threads start and libraries set themselves up at their first use
  for (int repeat = 0; repeat < 4; ++repeat) {
    feed(session, batch, conditioning, run.model->limits(), 1);
    const std::int64_t before = allocations();
    session.run();
    made = allocations() - before;
  }
  CHECK(made == 0);
}

}  // namespace prompt_program_test
