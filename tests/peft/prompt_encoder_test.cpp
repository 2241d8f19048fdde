#include "peft/prompt_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace prompt_encoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr EncoderShape kProjection{EncoderKind::projection, 3, 4, 5, 12, 2};
constexpr EncoderShape kLstm{EncoderKind::lstm, 3, 4, 2, 4, 2};

std::vector<std::string> names_of(const PromptEncoder& encoder) {
  std::vector<std::string> names;
  for (const auto& tensor : encoder.tensors()) names.push_back(tensor.name);
  return names;
}

/// Writes an encoder's tensors with `prefix` before their names, all but those that contain `without`.
TensorFile written(const TemporaryFolder& folder, const PromptEncoder& encoder, const std::string& prefix = {},
                   const std::string& without = "-") {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& tensor : encoder.tensors()) {
    if (tensor.name.find(without) == std::string::npos) tensors.emplace_back(prefix + tensor.name, tensor.value);
  }
  const auto path = folder.path() / "trainable.safetensors";
  write_safetensors(path, tensors);
  return SafetensorsFile::open(path);
}

/// The folded rows that PEFT saved, and ours.
void check_fold(const std::string& name, EncoderKind kind) {
  const auto folder = golden(name);
  const PromptEncoder encoder = PromptEncoder::read(SafetensorsFile::open(folder / "trainable.safetensors"), kind);
  const Tensor saved = SafetensorsFile::open(folder / "adapter/adapter_model.safetensors").get("prompt_embeddings");
  const Tensor folded = encoder.fold();
  CHECK(folded.dims() == saved.dims());
  check_close(folded, numbers(saved), 2e-6);
}

}  // namespace

TEST_CASE("prompt encoder: folds to the rows that PEFT saves") {
  check_fold("t5-v11/cases/prefix-projected-grad", EncoderKind::projection);
  check_fold("t5-v11/cases/ptuning-mlp-grad", EncoderKind::mlp);
  check_fold("t5-v11/cases/ptuning-lstm-grad", EncoderKind::lstm);
}

TEST_CASE("prompt encoder: tensors have the names and shapes of PEFT's state dict") {
  CHECK(names_of(PromptEncoder::random(kProjection, 1)) ==
        std::vector<std::string>{"embedding.weight", "transform.0.weight", "transform.0.bias", "transform.2.weight", "transform.2.bias"});
  CHECK(names_of(PromptEncoder::random({EncoderKind::mlp, 3, 4, 5, 4, 2}, 1)) ==
        std::vector<std::string>{"embedding.weight", "mlp_head.0.weight", "mlp_head.0.bias", "mlp_head.2.weight", "mlp_head.2.bias",
                                 "mlp_head.4.weight", "mlp_head.4.bias"});
  const PromptEncoder lstm = PromptEncoder::random(kLstm, 1);
  CHECK(lstm.tensors().size() == 1 + 2 * 2 * 4 + 4);
  const auto dims = [&](std::string_view name) { return std::ranges::find(lstm.tensors(), name, &Trainable::name)->value.dims(); };
  CHECK(dims("lstm_head.weight_ih_l0_reverse") == Dims{8, 4});
  CHECK(dims("lstm_head.weight_ih_l1") == Dims{8, 4});
  CHECK(dims("lstm_head.weight_hh_l1") == Dims{8, 2});
  CHECK(dims("mlp_head.0.weight") == Dims{4, 4});
}

TEST_CASE("prompt encoder: random weights follow torch's rules and the seed alone") {
  const EncoderShape wide{EncoderKind::projection, 100, 64, 16, 200, 2};
  const PromptEncoder encoder = PromptEncoder::random(wide, 3, 0.5);
  double squares = 0;
  for (const double x : numbers(encoder.tensors()[0].value)) squares += x * x;
  CHECK(std::sqrt(squares / 6400) == doctest::Approx(0.5).epsilon(0.05));
  const auto weights = numbers(encoder.tensors()[1].value);
  const auto [least, most] = std::ranges::minmax(weights);
  CHECK(least >= -0.125);
  CHECK(least < -0.12);
  CHECK(most <= 0.125);
  CHECK(most > 0.12);
  CHECK(numbers(PromptEncoder::random(wide, 3, 0.5).tensors()[3].value) == numbers(encoder.tensors()[3].value));
  CHECK(numbers(PromptEncoder::random(wide, 4, 0.5).tensors()[3].value) != numbers(encoder.tensors()[3].value));
}

TEST_CASE("prompt encoder: what is written is read again, under a site's name too") {
  const TemporaryFolder folder;
  for (const auto& shape : {kProjection, kLstm, EncoderShape{EncoderKind::mlp, 3, 4, 5, 4, 2}}) {
    const PromptEncoder encoder = PromptEncoder::random(shape, 7);
    const PromptEncoder again = PromptEncoder::read(written(folder, encoder, "cross."), shape.kind, "cross.");
    CHECK(again.shape() == shape);
    CHECK(numbers(again.fold()) == numbers(encoder.fold()));
    CHECK(again.tensors()[1].value.writable());
  }
}

TEST_CASE("prompt encoder: names what is missing or misshaped") {
  const TemporaryFolder folder;
  const std::string where = (folder.path() / "trainable.safetensors").string();
  const PromptEncoder encoder = PromptEncoder::random(kProjection, 7);
  CHECK_THROWS_WITH_AS((void)PromptEncoder::read(written(folder, encoder, {}, "0.bias"), EncoderKind::projection),
                       (where + ": tensor 'transform.0.bias' is missing; wanted the weights of a reparametrisation").c_str(), FileError);
  CHECK_THROWS_WITH_AS((void)PromptEncoder::read(written(folder, encoder), EncoderKind::mlp),
                       (where + ": tensor 'mlp_head.0.weight' is missing; wanted the weights of a reparametrisation").c_str(), FileError);
  PromptEncoder damaged = PromptEncoder::random(kProjection, 7);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& tensor : damaged.tensors()) tensors.emplace_back(tensor.name, tensor.value);
  tensors[2].second = Tensor(Dtype::f32, {6});
  write_safetensors(folder.path() / "trainable.safetensors", tensors);
  CHECK_THROWS_WITH_AS((void)PromptEncoder::read(SafetensorsFile::open(folder.path() / "trainable.safetensors"), EncoderKind::projection),
                       (where + ": 'transform.0.bias' is [6]; wanted [5]").c_str(), FileError);
}

TEST_CASE("prompt encoder: a projection fits rows exactly if it has as many hidden units, else as well as it can") {
  Tensor wanted(Dtype::f32, {3, 12});
  for (std::int64_t i = 0; i < wanted.count(); ++i) wanted.values<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i % 7) - 2;
  PromptEncoder encoder = PromptEncoder::random(kProjection, 5);
  const auto table = numbers(encoder.tensors()[0].value);
  encoder.fit(wanted);
  check_close(encoder.fold(), numbers(wanted), 1e-4);
  CHECK(numbers(encoder.tensors()[0].value) == table);
  PromptEncoder narrow = PromptEncoder::random({EncoderKind::projection, 3, 4, 2, 12, 2}, 5);
  const auto distance = [&] {
    const auto folded = numbers(narrow.fold());
    double sum = 0;
    for (std::size_t i = 0; i < folded.size(); ++i) sum += std::pow(folded[i] - numbers(wanted)[i], 2);
    return sum;
  };
  const double before = distance();
  narrow.fit(wanted);
  CHECK(distance() < before);
  CHECK_THROWS_WITH_AS(encoder.fit(Tensor(Dtype::f32, {2, 12})),
                       "reparametrisation: rows [2, 12] were given to fit; wanted [3, 12] in f32", ShapeError);
  PromptEncoder lstm = PromptEncoder::random(kLstm, 5);
  CHECK_THROWS_WITH_AS(lstm.fit(wanted), "reparametrisation: only a projection is fitted to given rows", UnsupportedError);
}

}  // namespace prompt_encoder_test
