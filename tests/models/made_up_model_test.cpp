#include "models/made_up_model.h"

#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/causal_lm.h"
#include "models/encoder_decoder.h"
#include "models/heads/head.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace made_up_model_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Numbers in all parameters that the loss of a shape reads.
std::int64_t parameters_of(const std::string& shape) {
  const auto model = made_up_model(shape, untouched_source());
  Graph graph;
  if (auto* causal = dynamic_cast<CausalLm*>(model.get())) add_logits(*causal, graph, {}, {}, false);
  if (auto* encoder = dynamic_cast<EncoderModel*>(model.get())) (void)encoder->encode(graph, {}, {});
  if (auto* both = dynamic_cast<EncoderDecoder*>(model.get())) add_logits(*both, graph, {}, {}, false);
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model->parameters().loaded()) count += tensor.count();
  return count;
}

}  // namespace

TEST_CASE("made-up model: published shapes have as many parameters as published") {
  CHECK(parameters_of("gpt2") == 124'439'808);
  CHECK(parameters_of("gpt2-medium") == 354'823'168);
  CHECK(parameters_of("gpt2-large") == 774'030'080);
  CHECK(parameters_of("bart-base") == 139'420'416);
  CHECK(parameters_of("bart-large") == 406'291'456);
  CHECK(parameters_of("t5-base") == 247'577'856);
  // without poolers and heads
  CHECK(parameters_of("bert-base") == 108'891'648);
  CHECK(parameters_of("roberta-large") == 354'310'144);
  CHECK(parameters_of("xlm-roberta-base") == 277'453'056);
  CHECK(parameters_of("distilbert-base") == 66'362'880);
  CHECK(parameters_of("electra-small") == 13'483'008);
  CHECK(parameters_of("mt5-small") == 300'176'768);
  CHECK(parameters_of("umt5-small") == 306'601'984);
  CHECK(parameters_of("smollm2-135m") == 134'515'008);
  CHECK(parameters_of("smollm2-360m") == 361'821'120);
  CHECK(parameters_of("llama-3.2-1b") == 1'235'814'400);
  CHECK(parameters_of("qwen3-0.6b") == 596'049'920);
}

TEST_CASE("made-up model: a folder gives its shape, and its weights are not read") {
  for (const std::string type : {"gpt2", "bart", "bert", "roberta", "t5-v11", "xlm-roberta", "distilbert", "electra", "mt5", "umt5", "llama", "mistral", "qwen3",
                                 "gpt_neox", "gemma"}) {
    CAPTURE(type);
    TemporaryFolder folder;
    folder.write("config.json", read_text(golden(type + "/model") / "config.json"));
    CHECK(parameters_of(folder.path().string()) > 0);
  }
}

TEST_CASE("made-up model: what it does not know is refused with what it knows") {
  CHECK_THROWS_WITH_AS((void)made_up_model("gpt3", untouched_source()), doctest::Contains("gpt2-medium"), ConfigError);
  TemporaryFolder folder;
  folder.write("config.json", R"({"model_type": "mamba"})");
  CHECK_THROWS_WITH_AS((void)made_up_model(folder.path().string(), untouched_source()), doctest::Contains("'mamba'"), UnsupportedError);
}

TEST_CASE("made-up model: an encoder gets new heads on a pooler that is made up too") {
  const auto model = made_up_model("bert-base", untouched_source());
  const Head head = Head::fresh(dynamic_cast<EncoderModel&>(*model), HeadKind::sequence, 2, 1, "");
  CHECK(head.tensors().size() == 2);
  CHECK(head.tensors().at("classifier.weight").dims() == Dims{2, 768});
}

}  // namespace made_up_model_test
