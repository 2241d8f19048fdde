#include "models/gguf/import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/warnings.h"
#include "models/gguf/names.h"
#include "models/open_model.h"
#include "tests/support/golden.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace import_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const CausalBatch kBatch{.sequences = {{5, 17, 33, 2, 9}, {90, 4}}};

/// ‖a - b‖ / ‖b‖
double distance(const LogitsOfRows& a, const LogitsOfRows& b) {
  double difference = 0, norm = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t r = 0; r < b.size(); ++r) {
    for (std::size_t i = 0; i < b[r].size(); ++i) {
      difference += std::pow(static_cast<double>(a[r][i]) - static_cast<double>(b[r][i]), 2);
      norm += std::pow(static_cast<double>(b[r][i]), 2);
    }
  }
  return std::sqrt(difference / norm);
}

/// Every text of golden cases has the ids that the source's tokenizer gives.
void check_tokenizer(const std::filesystem::path& imported, const std::string& source) {
  const auto given = load_tokenizer(imported), expected = load_tokenizer(golden("tokenizers/" + source));
  std::istringstream lines(read_text(golden("tokenizers/" + source + "/cases.jsonl")));
  std::size_t cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const auto json = nlohmann::json::parse(line);
    if (!json.contains("text")) continue;
    const auto text = json["text"].get<std::string>();
    CAPTURE(text);
    CHECK(given->encode({text}, {}).ids == expected->encode({text}, {}).ids);
  }
  CHECK(cases > 20);
}

}  // namespace

TEST_CASE("gguf: a GPT-2 gives the logits of its source, its blocks stay as they are, and its tokenizer reads the same texts") {
  const auto source = golden_gpt2();
  const LogitsOfRows expected = logits_of(*source, NoMethod(), kBatch);
  for (const auto& [name, type, tolerance] : {std::tuple{"gpt2-f16", Dtype::f16, 1e-3}, {"gpt2-q8_0", Dtype::q8_0, 0.03}}) {
    CAPTURE(name);
    const TemporaryFolder folder;
    import_gguf(golden(std::string("gguf/") + name + ".gguf"), folder.path());
    const auto model = Gpt2::open(folder.path(), {.as_stored = true});
    CHECK(distance(logits_of(*model, NoMethod(), kBatch), expected) < tolerance);
    std::size_t matrices = 0;
    for (const auto& [tensor_name, tensor] : model->parameters().loaded()) {
      if (tensor.dims().size() != 2) continue;
      CAPTURE(tensor_name);
      CHECK(tensor.dtype() == type);
      CHECK_FALSE(tensor.writable());
      ++matrices;
    }
    CHECK(matrices == 2 + 3 * 4);
    check_tokenizer(folder.path(), "gpt2-nano");
    // the same numbers in float32
    const auto wide = Gpt2::open(folder.path(), {.in_f32 = freeze_all});
    CHECK(distance(logits_of(*wide, NoMethod(), kBatch), logits_of(*model, NoMethod(), kBatch)) < 1e-5);
  }
}

TEST_CASE("gguf: rows that the converter has moved, norms that it has changed and factors of frequencies are the source's again") {
  for (const auto* family : {"llama", "llama3", "qwen3", "gemma", "gpt_neox"}) {
    CAPTURE(std::string(family));
    const TemporaryFolder folder;
    import_gguf(golden(std::string("gguf/") + family + "-f32.gguf"), folder.path());
    const WarningCapture warnings;
    const auto model = open_model(folder.path());
    const auto source = open_model(golden(std::string(family) + "/model"));
    CHECK(warnings.messages().empty());
    std::size_t compared = 0;
    for (const auto& [name, tensor] : source->parameters().loaded()) {
      CAPTURE(name);
      const auto found = model->parameters().loaded().find(name);
      REQUIRE(found != model->parameters().loaded().end());
      const auto given = numbers(found->second), wanted = numbers(tensor);
      REQUIRE(given.size() == wanted.size());
      double difference = 0;
      for (std::size_t i = 0; i < given.size(); ++i) difference = std::max(difference, std::abs(given[i] - wanted[i]));
      // 1 + w has been rounded
      CHECK(difference <= (std::string(family) == "gemma" && tensor.dims().size() == 1 ? 2e-7 : 0));
      ++compared;
    }
    CHECK(compared == model->parameters().loaded().size());
    CHECK(compared >= 2 + 2 * 6);
    const LogitsOfRows expected = logits_of(dynamic_cast<CausalLm&>(*source), NoMethod(), kBatch);
    CHECK(distance(logits_of(dynamic_cast<CausalLm&>(*model), NoMethod(), kBatch), expected) < 1e-5);
  }
}

TEST_CASE("gguf: matrices of all types are the numbers that the gguf package reads, whether their rows are moved or not") {
  const TemporaryFolder folder;
  import_gguf(golden("gguf/llama-mixed.gguf"), folder.path());
  const auto wanted = SafetensorsFile::open(golden("gguf/llama-mixed.safetensors"));
  const auto stored = open_model(folder.path(), {.as_stored = true});
  std::set<Dtype> types;
  for (const auto& name : wanted.names()) {
    CAPTURE(name);
    const Tensor& held = stored->parameters().loaded().at(name);
    types.insert(held.dtype());
    CHECK(held.writable() == (name.find("q_proj") != name.npos || name.find("k_proj") != name.npos));
    const Tensor whole = held.to(Dtype::f32);
    const auto expected = numbers(wanted.get(name));
    const std::int64_t width = whole.dims()[1];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::int64_t row = std::array<std::int64_t, 4>{0, 1, 17, whole.dims()[0] - 1}[r];
      for (std::int64_t i = 0; i < width; ++i) {
        const float given = whole.values<float>()[static_cast<std::size_t>(row * width + i)];
        CHECK(given == doctest::Approx(expected[r * static_cast<std::size_t>(width) + static_cast<std::size_t>(i)]).epsilon(1e-6));
      }
    }
  }
  CHECK(types == std::set{Dtype::q4_k, Dtype::q8_0, Dtype::q6_k, Dtype::q4_0, Dtype::bf16, Dtype::f16});
}

TEST_CASE("gguf: a BERT and a T5 have the tensors of their sources") {
  for (const auto& [file, source] : {std::pair{"gguf/bert-f32.gguf", "bert/model"}, {"gguf/t5-f32.gguf", "t5-v11/model"}}) {
    CAPTURE(file);
    const TemporaryFolder folder;
    import_gguf(golden(file), folder.path());
    const auto model = open_model(folder.path());
    const auto expected = open_model(golden(source));
    std::size_t compared = 0;
    for (const auto& [name, tensor] : model->parameters().loaded()) {
      CAPTURE(name);
      const auto& loaded = expected->parameters().loaded();
      const auto found = loaded.contains(name) ? loaded.find(name) : loaded.find("bert." + name);
      REQUIRE(found != loaded.end());
      CHECK(numbers(tensor) == numbers(found->second));
      ++compared;
    }
    CHECK(compared > 20);
    const auto given = nlohmann::json::parse(read_text(folder.path() / "config.json"));
    const auto wanted = nlohmann::json::parse(read_text(golden(source) / "config.json"));
    for (const auto& [key, value] : given.items()) {
      CAPTURE(key);
      if (!wanted.contains(key) || key == "architectures" || key == "hidden_act") continue;
      if (value.is_number_float()) {
        CHECK(value.get<double>() == doctest::Approx(wanted[key].get<double>()));
      } else {
        CHECK(value == wanted[key]);
      }
    }
  }
}

TEST_CASE("gguf: tokenizers of a T5 and of a BERT") {
  const TemporaryFolder t5, bert;
  import_gguf(golden("gguf/t5-f32.gguf"), t5.path());
  check_tokenizer(t5.path(), "t5-nano");
  import_gguf(golden("gguf/bert-f32.gguf"), bert.path());
  CHECK(read_text(bert.path() / "vocab.txt") == "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\nthe\n##s\n");
  CHECK(load_tokenizer(bert.path())->encode({"the playing"}, {}).ids == std::vector<std::int32_t>{2, 7, 5, 6, 3});
}

TEST_CASE("gguf: tokenizers of Llama 2 and 3") {
  const TemporaryFolder llama2, llama3;
  import_gguf(golden("gguf/llama-f32.gguf"), llama2.path());
  check_tokenizer(llama2.path(), "llama2");
  import_gguf(golden("gguf/llama3-f32.gguf"), llama3.path());
  check_tokenizer(llama3.path(), "llama3");
}

TEST_CASE("gguf: names of tensors, and tensors that no checkpoint has") {
  CHECK(checkpoint_name("gpt2", "blk.11.attn_qkv.bias", false) == "h.11.attn.c_attn.bias");
  CHECK(checkpoint_name("t5", "dec.blk.0.ffn_up.weight", false) == "decoder.block.0.layer.2.DenseReluDense.wi.weight");
  CHECK(checkpoint_name("t5", "dec.blk.0.ffn_up.weight", true) == "decoder.block.0.layer.2.DenseReluDense.wi_1.weight");
  CHECK(checkpoint_name("llama", "blk.7.attn_output.weight", true) == "model.layers.7.self_attn.o_proj.weight");
  CHECK(checkpoint_name("qwen3", "blk.0.attn_q_norm.weight", true) == "model.layers.0.self_attn.q_norm.weight");
  CHECK(checkpoint_name("gptneox", "blk.1.attn_qkv.bias", false) == "gpt_neox.layers.1.attention.query_key_value.bias");
  CHECK_FALSE(checkpoint_name("mamba", "token_embd.weight", false).has_value());
  CHECK(checkpoint_name("bert", "blk.2.layer_output_norm.weight", false) == "encoder.layer.2.output.LayerNorm.weight");
  for (const auto* name : {"blk.attn_qkv.weight", "blk.1x.attn_qkv.weight", "blk.1.attn_x.weight", "output", "", "blk.1.weight"}) {
    CAPTURE(std::string(name));
    CHECK_FALSE(checkpoint_name("gpt2", name, false).has_value());
  }
}

TEST_CASE("gguf: damaged files are refused with their name, and so is a folder that holds a model") {
  const TemporaryFolder folder;
  const std::string whole = read_text(golden("gguf/bert-f32.gguf"));
  const auto damaged = folder.path() / "damaged.gguf";
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{20}, std::size_t{200}, std::size_t{2000}, whole.size() - 64}) {
    CAPTURE(size);
    write_atomically(damaged, whole.substr(0, size));
    CHECK_THROWS_AS(import_gguf(damaged, folder.path() / "out"), FileError);
  }
  std::string other = whole;
  other[4] = 9;  // the version
  write_atomically(damaged, other);
  CHECK_THROWS_WITH_AS(import_gguf(damaged, folder.path() / "out"), (damaged.string() + ": GGUF version 9; wanted 2 or 3").c_str(),
                       FileError);
  write_atomically(folder.path() / "model.safetensors", "");
  CHECK_THROWS_AS(import_gguf(golden("gguf/bert-f32.gguf"), folder.path()), FileError);
}

}  // namespace import_test
