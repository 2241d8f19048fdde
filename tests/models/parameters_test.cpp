#include "models/parameters.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/quantised_tensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/temporary_folder.h"

namespace parameters_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A source with a few tensors in memory.
class Few final : public ParameterSource {
 public:
  explicit Few(const std::vector<std::string>& more) {
    for (const auto& name : more) tensors_[name] = tensor_of({1}, std::array{1.0F});
    tensors_["matrix.weight"] = tensor_of({2, 3}, std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
    tensors_["norm.weight"] = tensor_of({3}, std::array{1.0F, 1.0F, 2.0F});
    tensors_["ids"] = tensor_of({3}, std::array{1, 2, 3});
  }

  [[nodiscard]] bool contains(std::string_view name) const override { return tensors_.contains(std::string(name)); }
  [[nodiscard]] Tensor get(std::string_view name, const Dims&, Dtype) const override { return tensors_.at(std::string(name)); }
  [[nodiscard]] std::string where(std::string_view name) const override {
    return contains(name) ? fmt::format("few.safetensors: '{}'", name) : "few.safetensors";
  }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, Tensor> tensors_;
};

Parameters few(Parameters::Options options = {}, const std::vector<std::string>& more = {}) {
  return {std::make_shared<Few>(more), std::move(options)};
}

}  // namespace

TEST_CASE("parameters: a leaf is declared once in a graph, and graphs share its memory") {
  Parameters parameters = few();
  Graph one;
  Graph two;
  const Value a = parameters(one, "matrix.weight", {2, 3}, ParameterKind::matrix);
  const Value again = parameters(one, "matrix.weight", {2, 3}, ParameterKind::matrix);
  const Value other = parameters(two, "matrix.weight", {2, 3}, ParameterKind::matrix);
  CHECK(a == again);
  CHECK(one.node(a).role == Role::frozen);
  CHECK(one.node(a).tensor.data() == two.node(other).tensor.data());
}

TEST_CASE("parameters: those that are not frozen are trainable leaves with memory of their own") {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, Tensor>> tensors = {{"w", tensor_of({2}, std::array{1.0F, 2.0F})}};
  write_safetensors(folder.path() / "model.safetensors", tensors);
  Parameters frozen(checkpoint_source(folder.path()), {});
  CHECK(!frozen.tensor("w", {2}, ParameterKind::matrix).writable());
  Parameters trained(checkpoint_source(folder.path()), {.frozen = freeze_none});
  Graph graph;
  const Value w = trained(graph, "w", {2}, ParameterKind::matrix);
  CHECK(graph.node(w).role == Role::trainable);
  CHECK(graph.node(w).tensor.writable());
}

TEST_CASE("parameters: frozen matrices may be held in bf16, vectors and trained matrices are not") {
  Parameters parameters = few({.weights = Dtype::bf16, .frozen = [](std::string_view name) { return name != "trained"; }});
  CHECK(parameters.tensor("matrix.weight", {2, 3}, ParameterKind::matrix).dtype() == Dtype::bf16);
  CHECK(parameters.tensor("norm.weight", {3}, ParameterKind::vector).dtype() == Dtype::f32);
  Parameters trained = few({.weights = Dtype::bf16, .frozen = freeze_none});
  CHECK(trained.tensor("matrix.weight", {2, 3}, ParameterKind::matrix).dtype() == Dtype::f32);
  Parameters exact = few({.weights = Dtype::f64});
  CHECK(exact.tensor("norm.weight", {3}, ParameterKind::vector).dtype() == Dtype::f64);
  CHECK_THROWS_WITH_AS(few({.weights = Dtype::f16}), "weights: F16 was given; wanted F32, BF16, INT8_ROWS, INT4_32, INT4_64, NF4_32 or NF4_64", DtypeError);
}

TEST_CASE("parameters: frozen matrices are quantised when they are loaded, by the channels of their layout") {
  Parameters parameters = few({.weights = Dtype::int8_rows});
  CHECK(parameters.tensor("matrix.weight", {2, 3}, ParameterKind::matrix).dtype() == Dtype::int8_rows);
  CHECK(parameters.tensor("norm.weight", {3}, ParameterKind::vector).dtype() == Dtype::f32);
  CHECK(few({.weights = Dtype::int8_rows}).tensor("matrix.weight", {2, 3}, ParameterKind::transposed).dtype() == Dtype::int8_columns);
  CHECK(few({.weights = Dtype::nf4_64}).tensor("matrix.weight", {2, 3}, ParameterKind::transposed).dtype() == Dtype::nf4_64);
  CHECK(few({.weights = Dtype::nf4_64, .frozen = freeze_none}).tensor("matrix.weight", {2, 3}, ParameterKind::matrix).dtype() == Dtype::f32);
  const Freeze kept = [](std::string_view name) { return name.starts_with("matrix"); };
  CHECK(few({.weights = Dtype::nf4_64, .in_f32 = kept}).tensor("matrix.weight", {2, 3}, ParameterKind::matrix).dtype() == Dtype::f32);
  for (const Dtype made_up : {Dtype::int4_32, Dtype::bf16}) {
    Parameters random(random_source(3), {.weights = made_up});
    CHECK(random.tensor("w", {4, 5}, ParameterKind::matrix).dtype() == made_up);
    Parameters untouched(untouched_source(), {.weights = made_up});
    CHECK(untouched.tensor("w", {4, 5}, ParameterKind::matrix).dtype() == made_up);
  }
}

TEST_CASE("parameters: a checkpoint's own type stays where it is asked for, and a quantised one in any case") {
  const TemporaryFolder folder;
  const Tensor w = tensor_of({2, 2}, std::array{1.0F, 2.0F, 3.0F, 4.0F});
  const std::vector<std::pair<std::string, Tensor>> tensors = {{"w", w.to(Dtype::bf16)}};
  write_safetensors(folder.path() / "model.safetensors", tensors);
  const auto type = [&](Parameters::Options options) {
    return Parameters(checkpoint_source(folder.path()), std::move(options)).tensor("w", {2, 2}, ParameterKind::matrix).dtype();
  };
  CHECK(type({}) == Dtype::f32);
  CHECK(type({.as_stored = true}) == Dtype::bf16);
  CHECK(type({.as_stored = true, .frozen = freeze_none}) == Dtype::f32);
  std::vector<std::pair<std::string, Tensor>> quantised = {{"w", w.to(Dtype::nf4_32)}};
  std::map<std::string, std::string> metadata;
  store_quantised(quantised, metadata);
  write_safetensors(folder.path() / "model.safetensors", quantised, metadata);
  CHECK(type({}) == Dtype::nf4_32);
  CHECK(type({.weights = Dtype::bf16}) == Dtype::nf4_32);
  CHECK(type({.weights = Dtype::f64}) == Dtype::f64);
  CHECK(type({.in_f32 = freeze_all}) == Dtype::f32);
  CHECK(type({.frozen = freeze_none}) == Dtype::f32);
}

TEST_CASE("parameters: a missing, misshaped or whole-numbered tensor is named with its file") {
  Parameters parameters = few();
  CHECK_THROWS_WITH_AS((void)parameters.tensor("gone", {2, 3}, ParameterKind::matrix),
                       "few.safetensors: tensor 'gone' is missing; wanted [2, 3]", FileError);
  CHECK_THROWS_WITH_AS((void)parameters.tensor("matrix.weight", {3, 2}, ParameterKind::matrix),
                       "few.safetensors: 'matrix.weight' is [2, 3]; wanted [3, 2]", FileError);
  CHECK_THROWS_WITH_AS((void)parameters.tensor("ids", {3}, ParameterKind::vector), "few.safetensors: 'ids' is I32; wanted a floating type",
                       FileError);
}

TEST_CASE("parameters: names that nobody asked for are said once, a few of them and the number of the others") {
  Parameters parameters = few();
  (void)parameters.tensor("norm.weight", {3}, ParameterKind::vector);
  const WarningCapture warnings;
  parameters.warn_of_unknown();
  parameters.warn_of_unknown();
  CHECK(warnings.messages() == std::vector<std::string>{
                                   "few.safetensors: 2 of its tensors are not part of this model and are ignored: ids, matrix.weight"});
  parameters.tolerate("ids");
  parameters.warn_of_unknown();
  CHECK(warnings.messages().back() == "few.safetensors: 1 of its tensors is not part of this model and is ignored: matrix.weight");
  (void)parameters.tensor("matrix.weight", {2, 3}, ParameterKind::matrix);
  parameters.warn_of_unknown();
  CHECK(warnings.messages().size() == 2);
  Parameters many = few({}, {"crf.a", "crf.b", "crf.c", "v_head"});
  many.warn_of_unknown();
  CHECK(warnings.messages().back() ==
        "few.safetensors: 7 of its tensors are not part of this model and are ignored: crf.a, crf.b, crf.c, ids and 3 more");
}

TEST_CASE("parameters: in strict mode a name that nobody asked for is an error") {
  const WarningCapture strict(true);
  CHECK_THROWS_AS(few().warn_of_unknown(), ConfigError);
}

TEST_CASE("parameters: a layer beyond those that were asked for is an error, a head with numbers of its own is none") {
  const auto with = [](const std::string& more) {
    Parameters parameters = few({}, {"h.0.w", "h.1.w", more});
    (void)parameters.tensor("h.0.w", {1}, ParameterKind::vector);
    (void)parameters.tensor("h.1.w", {1}, ParameterKind::vector);
    parameters.warn_of_unknown();
  };
  const WarningCapture warnings;
  CHECK_THROWS_WITH_AS(with("h.2.w"),
                       "few.safetensors: 'h.2.w': belongs to a layer that this model does not have; wanted the layers that config.json counts",
                       FileError);
  CHECK_THROWS_AS(with("h.10.mlp.3.w"), FileError);
  with("head.2.w");
  with("h.1.mlp.3.w");
  with("h.2w");
  CHECK(warnings.messages().size() == 3);
}

TEST_CASE("parameters: the hash of what is frozen changes with any bit of it, and with nothing else") {
  Parameters parameters = few({.frozen = [](std::string_view name) { return name == "matrix.weight"; }});
  Tensor matrix = parameters.tensor("matrix.weight", {2, 3}, ParameterKind::matrix);
  Tensor norm = parameters.tensor("norm.weight", {3}, ParameterKind::vector);
  const std::uint64_t hash = parameters.frozen_hash();
  norm.values<float>()[0] = 7;
  CHECK(parameters.frozen_hash() == hash);
  matrix.values<float>()[5] = 6.0000005F;
  CHECK(parameters.frozen_hash() != hash);
}

TEST_CASE("random_source: the same name and seed give the same numbers, of a plausible scale") {
  const auto source = random_source(3);
  const Tensor a = source->get("w", {50, 100}, Dtype::f32);
  const Tensor b = random_source(3)->get("w", {50, 100}, Dtype::f32);
  const Tensor c = random_source(4)->get("w", {50, 100}, Dtype::f32);
  const auto values = std::as_const(a).values<float>();
  CHECK(std::ranges::equal(values, std::as_const(b).values<float>()));
  CHECK(!std::ranges::equal(values, std::as_const(c).values<float>()));
  double squares = 0;
  for (const float x : values) squares += static_cast<double>(x) * static_cast<double>(x);
  CHECK(squares / 5000 == doctest::Approx(1.0 / 100).epsilon(0.1));
  CHECK(source->contains("anything"));
  CHECK(source->names().empty());
}

TEST_CASE("untouched_source: gives zeros of any size") {
  const Tensor w = untouched_source()->get("w", {1000, 1000}, Dtype::bf16);
  CHECK(w.dtype() == Dtype::bf16);
  CHECK(w.dims() == Dims{1000, 1000});
}

}  // namespace parameters_test
