#include "models/open_model.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("open_encoder_decoder: opens what config.json names") {
  const auto model = open_encoder_decoder(golden("t5-v10/model"));
  CHECK(model->vocabulary() == 101);
  CHECK(model->pad_id() == 0);
  CHECK(model->decoder_start_id() == 0);
}

TEST_CASE("open_model: opens models of every family, and an encoder-decoder only where one is wanted") {
  CHECK(open_model(golden("t5-v10/model"))->vocabulary() == 101);
  CHECK(open_model(golden("bart/model"))->vocabulary() == 103);
  CHECK(open_model(golden("gpt2/model"))->vocabulary() == 97);
  for (const auto* encoder : {"bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta-v2"}) {
    CAPTURE(encoder);
    const auto folder = golden(std::string(encoder) + "/model");
    CHECK(open_encoder(folder)->vocabulary() == open_model(folder)->vocabulary());
  }
  for (const auto* both : {"mt5", "umt5"}) CHECK(open_encoder_decoder(golden(std::string(both) + "/model"))->vocabulary() == 37);
  const std::string config = (golden("gpt2/model") / "config.json").string();
  CHECK_THROWS_WITH_AS((void)open_encoder_decoder(golden("gpt2/model")), (config + ": model_type is 'gpt2'; wanted one of bart, mt5, t5, umt5").c_str(),
                       UnsupportedError);
}

TEST_CASE("open_encoder_decoder: says which model it does not know, and which file is missing") {
  TemporaryFolder folder;
  const std::string config = folder.write("config.json", R"({"model_type": "mamba"})").string();
  CHECK_THROWS_WITH_AS((void)open_encoder_decoder(folder.path()), (config + ": model_type is 'mamba'; wanted one of bart, mt5, t5, umt5").c_str(),
                       UnsupportedError);
  CHECK_THROWS_AS((void)open_encoder_decoder(folder.path() / "nowhere"), FileError);
  TemporaryFolder weightless;
  weightless.write("config.json", R"({"model_type": "t5"})");
  CHECK_THROWS_AS((void)open_encoder_decoder(weightless.path()), FileError);
}
