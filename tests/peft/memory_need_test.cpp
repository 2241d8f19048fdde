#include "peft/memory_need.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/explain.h"
#include "models/made_up_model.h"
#include "peft/made_up_training.h"
#include "peft/training_step.h"
#include "tests/support/residence.h"

namespace memory_need_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The compiled training step of t5-small, never run.
class Planned {
 public:
  explicit Planned(bool full) {
    Parameters::Options options;
    if (full) options.frozen = freeze_none;
    model_ = made_up_model("t5-small", untouched_source(), options);
    method_ = made_up_method({.method = full ? "full" : "prompt", .virtual_tokens = 10}, *model_, 1);
    const auto examples = made_up_examples({.sequences = 2, .source = 32, .target = 4}, *model_, 1);
    step_ = std::make_unique<TrainingStep>(loss_model_for(*model_, examples, {}, 1), *method_, TrainingStepOptions{});
  }

  [[nodiscard]] const Program& program() const { return step_->program(); }
  [[nodiscard]] std::vector<ScopeCost> costs() const { return cost_by_scope(program(), seq2seq::kLoss); }
  [[nodiscard]] ScopeCost at(const std::string& scope) const {
    const auto all = costs();
    const auto found = std::ranges::find(all, scope, &ScopeCost::scope);
    REQUIRE(found != all.end());
    return *found;
  }
  [[nodiscard]] MemoryNeed need() const { return memory_need(*model_, *step_, *make_adamw(step_->shapes(), {})); }

 private:
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<TrainingStep> step_;
};

}  // namespace

TEST_CASE("explain: the costs of all scopes sum up to those of the program" * doctest::test_suite(kPlans)) {
  const Planned planned(false);
  double forward = 0;
  double backward = 0;
  double recomputed = 0;
  for (const auto& cost : planned.costs()) {
    forward += cost.forward_flops;
    backward += cost.backward_flops;
    recomputed += cost.recomputed_flops;
  }
  CHECK(forward == doctest::Approx(planned.program().flops(Phase::forward)));
  CHECK(backward == doctest::Approx(planned.program().flops(Phase::backward)));
  CHECK(recomputed == doctest::Approx(planned.program().flops(Phase::recompute)));
}

TEST_CASE("explain: prompt tuning computes one gradient, and none of weights" * doctest::test_suite(kPlans)) {
  const Planned planned(false);
  std::int64_t gradients = 0;
  for (const auto& cost : planned.costs()) {
    gradients += cost.gradient_bytes;
    if (cost.scope.find(".block.") != std::string::npos || cost.scope == "head") CHECK(cost.gradient_bytes == 0);
  }
  CHECK(gradients == 10 * 512 * 4);
  CHECK(gradient_bytes(planned.program()) == gradients);
}

TEST_CASE("explain: no backward runs in the decoder's first self-attention under prompt tuning, but under full fine-tuning it does" * doctest::test_suite(kPlans)) {
  const Planned prompt(false);
  const Planned full(true);
  const std::string scope = "decoder.block.0.self_attention";
  CHECK_FALSE(prompt.at(scope).has_backward());
  CHECK(prompt.at(scope).kept_bytes == 0);
  CHECK(prompt.at(scope).backward_rows.empty());
  CHECK(prompt.at("decoder.block.1.self_attention").has_backward());
  CHECK(full.at(scope).has_backward());
  CHECK(full.at(scope).gradient_bytes > 0);
}

TEST_CASE("explain: the head runs for labelled rows alone" * doctest::test_suite(kPlans)) {
  const Planned planned(false);
  CHECK(planned.at("head").forward_rows == std::vector<std::string>{std::string(seq2seq::kLabelled)});
}

TEST_CASE("explain: an unknown loss is refused" * doctest::test_suite(kPlans)) {
  const Planned planned(false);
  CHECK_THROWS_WITH_AS(static_cast<void>(cost_by_scope(planned.program(), "lost")), doctest::Contains("lost"), ConfigError);
}

TEST_CASE("memory need: the parts of full fine-tuning and of prompt tuning" * doctest::test_suite(kPlans)) {
  const MemoryNeed prompt = Planned(false).need();
  const MemoryNeed full = Planned(true).need();
  CHECK(prompt.frozen == prompt.weights);
  CHECK(prompt.trained == 10 * 512 * 4);
  CHECK(prompt.optimizer == 2 * prompt.trained);
  CHECK(prompt.total() == prompt.frozen + prompt.trained + prompt.optimizer + prompt.arena);
  CHECK(full.frozen == 0);
  CHECK(full.trained == prompt.weights);
  CHECK(full.optimizer == 2 * full.weights);
  CHECK(full.gradients == full.weights);
  CHECK(full.lower_bound <= full.arena);
}

}  // namespace memory_need_test
