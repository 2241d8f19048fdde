#include "engine/compile/kept_forms.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/cosine.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace kept_forms_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kRows = 48, kWidth = 64;

Graph stack_loss() {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", kRows, 2);
  const Value x = graph.trainable("x", random_tensor({kRows, kWidth}, 3).to(Dtype::f32), rows);
  const Value y = Stack{.width = kWidth, .layers = 6, .kind = ActivationKind::gelu}.build(graph, x);
  graph.output("loss", dot(y, y));
  return graph;
}

std::shared_ptr<const Program> compiled(Budget budget, KeptForm form) {
  budget.kept = form;
  return compile(stack_loss(), {.loss = "loss", .memory = budget});
}

struct Results {
  double loss = 0;
  std::vector<float> gradient;
};

Results results_of(const std::shared_ptr<const Program>& program) {
  Session session(program);
  session.run();
  const auto gradient = session.result<float>("grad.x");
  return {static_cast<double>(session.result<float>("loss")[0]), {gradient.begin(), gradient.end()}};
}

}  // namespace

TEST_CASE("kept forms: values are packed in the forward pass, and nobody keeps them whole besides") {
  const auto exact = compiled(Budget::none(), KeptForm::exact);
  CHECK(count_ops(exact->graph(), "pack_kept") == 0);
  const auto halves = compiled(Budget::none(), KeptForm::bf16), bytes = compiled(Budget::none(), KeptForm::int8);
  CHECK(count_ops(halves->graph(), "pack_kept", Phase::forward) > 0);
  CHECK(count_ops(halves->graph(), "pack_kept") == count_ops(halves->graph(), "pack_kept", Phase::forward));
  CHECK(count_ops(halves->graph(), "unpack_kept", Phase::recompute) >= count_ops(halves->graph(), "pack_kept"));
  // a backward node reads no activation of the forward pass that has been packed
  for (const auto& node : halves->graph().nodes()) {
    if (!node.op || node.phase == Phase::forward || node.op->name() == "unpack_kept") continue;
    for (const auto& input : node.inputs) {
      const bool of_forward = input && halves->graph().node(input).op && halves->graph().node(input).phase == Phase::forward;
      // queries and keys are exact, as the log-sum-exp is
      if (of_forward && node.op->name() != "attention_grad") CHECK(input.type().width() < kWidth);
    }
  }
  // arguments of the four times as wide activation in bytes
  CHECK(halves->arena_bytes() < exact->arena_bytes() * 3 / 4);
  CHECK(bytes->arena_bytes() < halves->arena_bytes() * 9 / 10);
}

TEST_CASE("kept forms: the loss has the same bits, gradients point the same way") {
  const Results exact = results_of(compiled(Budget::none(), KeptForm::exact));
  for (const auto& [form, bound] : {std::pair{KeptForm::bf16, 1e-4}, {KeptForm::int8, 1e-3}}) {
    for (const auto& budget : {Budget::none(), Budget::automatic()}) {
      const Results given = results_of(compiled(budget, form));
      CHECK(given.loss == exact.loss);
      CHECK(1 - cosine(given.gradient, exact.gradient) < bound);
    }
    // layers are computed again from rounded rows; scores of hundreds, which these weights make, are sensitive to that
    const Results again = results_of(compiled(Budget::smallest(), form));
    CHECK(again.loss == exact.loss);
    CHECK(1 - cosine(again.gradient, exact.gradient) < 0.03);
  }
}

TEST_CASE("kept forms: under a budget packing competes with computing again") {
  const auto exact = compiled(Budget::smallest(), KeptForm::exact), packed = compiled(Budget::smallest(), KeptForm::bf16);
  CHECK(packed->arena_bytes() <= exact->arena_bytes());
  // a limit that recomputation alone meets with more operations
  const std::int64_t limit = compiled(Budget::none(), KeptForm::bf16)->arena_bytes();
  const auto recomputed = compiled(Budget::bytes(limit), KeptForm::exact), reduced = compiled(Budget::bytes(limit), KeptForm::bf16);
  CHECK(reduced->arena_bytes() <= limit);
  CHECK(reduced->flops() < recomputed->flops());
  // with memory enough nothing is rounded
  CHECK(count_ops(compiled(Budget::bytes(std::int64_t{1} << 40), KeptForm::int8)->graph(), "pack_kept") == 0);
}

TEST_CASE("kept forms: names") {
  CHECK(Budget::parse("min", "int8").kept == KeptForm::int8);
  CHECK(Budget::parse("2G", "bf16").kept == KeptForm::bf16);
  CHECK(Budget::parse("auto", "exact").kept == KeptForm::exact);
  CHECK_THROWS_WITH_AS((void)Budget::parse("auto", "f16"), "kept values: 'f16' was given; wanted exact, bf16 or int8", ConfigError);
}

}  // namespace kept_forms_test
