#include "models/made_up_model.h"

#include <memory>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/heads/headed_encoder.h"
#include "tests/support/golden.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

std::int64_t parameters_of(EncoderModel& model) {
  Graph graph;
  (void)model.encode(graph, {}, {});
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model.parameters().loaded()) count += tensor.count();
  return count;
}

}  // namespace

TEST_CASE("made-up model: published encoders have as many numbers as published") {
  CHECK(parameters_of(*made_up_encoder("bert-base", untouched_source())) == 108'891'648);
  CHECK(parameters_of(*made_up_encoder("roberta-large", untouched_source())) == 354'310'144);
}

TEST_CASE("made-up model: an encoder of a folder's shape gets heads like any other") {
  const auto model = made_up_encoder(golden("bert/model").string(), random_source(1));
  CHECK(model->width() == 32);
  const Head head = Head::fresh(*model, HeadKind::sequence, 2, 1, "");
  CHECK(head.tensors().at("classifier.weight").dims() == Dims{2, 32});
  CHECK_THROWS_AS((void)made_up_encoder("t5-base", untouched_source()), ConfigError);
  CHECK_THROWS_AS((void)made_up_encoder(golden("gpt2/model").string(), untouched_source()), UnsupportedError);
}
