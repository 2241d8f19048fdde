#include "models/top_layers.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/training_step.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/graphs.h"

namespace top_layers_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Names = std::vector<std::string>;

const Names kT5 = {"shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight", "encoder.final_layer_norm.weight",
                   "decoder.block.0.layer.1.EncDecAttention.q.weight", "decoder.block.1.layer.2.layer_norm.weight",
                   "decoder.final_layer_norm.weight", "lm_head.weight"};

Names trained(const Names& names, std::int64_t layers) {
  const Freeze frozen = freeze_below_top(names, layers);
  Names result;
  for (const auto& name : names) {
    if (!frozen(name)) result.push_back(name);
  }
  return result;
}

}  // namespace

TEST_CASE("top layers: the decoder's last layers, the norm behind them and an own head are trained") {
  CHECK(trained(kT5, 1) == Names{"decoder.block.1.layer.2.layer_norm.weight", "decoder.final_layer_norm.weight", "lm_head.weight"});
  CHECK(trained(kT5, 2).size() == 4);
  CHECK(trained({"transformer.wte.weight", "transformer.h.9.ln_1.weight", "transformer.h.10.ln_1.weight", "transformer.ln_f.bias"}, 1) ==
        Names{"transformer.h.10.ln_1.weight", "transformer.ln_f.bias"});
  CHECK(trained({"model.shared.weight", "model.encoder.layers.1.fc1.bias", "model.decoder.layers.1.fc1.bias"}, 1) ==
        Names{"model.decoder.layers.1.fc1.bias"});
}

TEST_CASE("top layers: a number that the model does not have is an error") {
  CHECK_THROWS_WITH_AS((void)freeze_below_top(kT5, 3), "trainable layers: 3 were given; wanted 1 to 2", ConfigError);
  CHECK_THROWS_WITH_AS((void)freeze_below_top(kT5, 0), "trainable layers: 0 were given; wanted 1 to 2", ConfigError);
  CHECK_THROWS_WITH_AS((void)freeze_below_top(Names{"weight"}, 1),
                       "trainable layers: the names of this model's parameters have no layer numbers", UnsupportedError);
}

TEST_CASE("top layers: the program has no backward pass below them") {
  const auto names = checkpoint_source(golden("gpt2/model"))->names();
  Parameters::Options options;
  options.frozen = freeze_below_top(names, 1);
  const auto model = golden_gpt2(options);
  const NoMethod plain;
  const TrainingStep step(loss_model(*model, CausalCapacity{2, 12}), plain, {});
  CHECK(step.trainables().size() == 14);  // 12 of a layer and 2 of the last norm
  std::int64_t backward = 0;
  for (const auto& node : step.program().graph().nodes()) {
    if (!node.op || node.phase == Phase::forward) continue;
    CAPTURE(node.scope);
    CHECK(node.scope.find("h.0") == std::string::npos);
    CHECK(node.scope.find("h.1") == std::string::npos);
    ++backward;
  }
  CHECK(backward > 0);
}

}  // namespace top_layers_test
