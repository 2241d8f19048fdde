#include "peft/adapter_file.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "tests/data/torch_builder.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace adapter_file_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr const char* kTensors = "adapter_model.safetensors";
constexpr const char* kSeq2Seq = R"({"peft_type":"PROMPT_TUNING","task_type":"SEQ_2_SEQ_LM","num_virtual_tokens":3})";

Tensor counting(std::int64_t rows, std::int64_t width) {
  Tensor tensor(Dtype::f32, {rows, width});
  const auto values = tensor.values<float>();
  std::iota(values.begin(), values.end(), 0.0F);
  return tensor;
}

/// An adapter folder of PEFT with one config and one tensor.
struct AdapterFolder : TemporaryFolder {
  explicit AdapterFolder(std::string_view config = kSeq2Seq) { write("adapter_config.json", config); }

  void put(const Tensor& tensor, const std::string& name = "prompt_embeddings") const {
    write_safetensors(path() / kTensors, std::vector<std::pair<std::string, Tensor>>{{name, tensor}});
  }
  [[nodiscard]] std::string where() const { return (path() / kTensors).string() + ": 'prompt_embeddings'"; }
  [[nodiscard]] PromptSlot read(std::int64_t width) const { return read_prompt(path(), PeftConfig::read(path()), width); }
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("adapter file: PEFT's two submodules are as many rows again, and the first ones are the prompt") {
  const AdapterFolder folder;
  folder.put(counting(6, 4));
  const PromptSlot prompt = folder.read(4);
  CHECK(prompt.tokens == 3);
  CHECK(numbers(prompt.embeddings) == numbers(counting(6, 4)));
  CHECK(prompt.embeddings.writable());
}

TEST_CASE("adapter file: where the config does not say it, half the rows are one submodule") {
  const AdapterFolder folder;
  folder.put(counting(3, 4));
  CHECK(folder.read(4).tokens == 3);
}

TEST_CASE("adapter file: without any number in the config the rows say it") {
  const AdapterFolder causal(R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM"})");
  causal.put(counting(6, 4));
  CHECK(causal.read(4).tokens == 6);
  const AdapterFolder seq2seq(R"({"peft_type":"PROMPT_TUNING","task_type":"SEQ_2_SEQ_LM"})");
  seq2seq.put(counting(6, 4));
  CHECK(seq2seq.read(4).tokens == 3);
}

TEST_CASE("adapter file: numbers of half the size are read") {
  const AdapterFolder folder;
  for (const auto dtype : {Dtype::bf16, Dtype::f16, Dtype::f64}) {
    Tensor stored(dtype, {3, 4});
    if (dtype == Dtype::f16) {
      std::ranges::fill(stored.values<Float16>(), Float16{0x3E00});  // 1.5
    } else {
      stored = Tensor(tensor_of({3, 4}, std::vector<float>(12, 1.5F))).to(dtype);
    }
    folder.put(stored);
    const PromptSlot prompt = folder.read(4);
    CHECK(prompt.embeddings.dtype() == Dtype::f32);
    CHECK(numbers(prompt.embeddings) == std::vector<double>(12, 1.5));
  }
}

TEST_CASE("adapter file: adapter_model.bin is read where there is no safetensors file") {
  const AdapterFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const auto pickle =
      pickled::state_dict({{"prompt_embeddings", pickled::tensor(pickled::storage("FloatStorage", "0", 6), 0, {3, 2}, {2, 1})}});
  folder.write("adapter_model.bin", torch_zip(pickle, {{"0", floats(values)}}));
  CHECK(numbers(folder.read(2).embeddings) == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("adapter file: each damaged folder has one clear error") {
  const AdapterFolder folder;
  const std::string name = folder.path().string();
  const auto message = [&] { return message_of([&] { (void)folder.read(4); }); };
  CHECK(message() ==
        name +
            ": has no weights; wanted one of adapter_model.safetensors, adapter_model.safetensors.index.json, adapter_model.bin, "
            "adapter_model.bin.index.json");
  folder.put(counting(3, 4), "lora_A");
  CHECK(message() == name + ": tensor 'prompt_embeddings' is missing; wanted a prompt");
  folder.put(counting(5, 4));
  CHECK(message() == folder.where() + ": 5 rows for 2 submodules; wanted a multiple");
  folder.put(counting(8, 4));
  CHECK(message() == folder.where() + ": 8 rows; adapter_config.json wants 6 (3 virtual tokens, 2 submodules)");
  folder.put(Tensor(Dtype::f32, {3, 2, 4}));
  CHECK(message() == folder.where() + ": F32 [3, 2, 4]; wanted a floating matrix of at least one row");
  folder.put(Tensor(Dtype::f32, {0, 4}));
  CHECK(message() == folder.where() + ": F32 [0, 4]; wanted a floating matrix of at least one row");
  folder.put(Tensor(Dtype::i32, {6, 4}));
  CHECK(message() == folder.where() + ": I32 [6, 4]; wanted a floating matrix of at least one row");
  folder.put(counting(6, 5));
  CHECK(message() == name + ": a prompt 5 wide; the model's embeddings are 4 wide");
}

TEST_CASE("adapter file: a prompt of another model says whose it is") {
  const AdapterFolder folder(R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM","base_model_name_or_path":"t5-large"})");
  folder.put(counting(6, 5));
  CHECK(message_of([&] { (void)folder.read(4); }) ==
        folder.path().string() + ": a prompt 5 wide; the model's embeddings are 4 wide (the prompt belongs to 't5-large')");
}

TEST_CASE("adapter file: a config that contradicts the tensor is an error") {
  const AdapterFolder prompt(R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM","token_dim":8})");
  prompt.put(counting(2, 4));
  CHECK(message_of([&] { (void)prompt.read(4); }) == prompt.path().string() + ": rows 4 wide; adapter_config.json says token_dim 8");
  const AdapterFolder prefix(R"({"peft_type":"PREFIX_TUNING","task_type":"CAUSAL_LM","token_dim":8,"num_layers":2})");
  prefix.put(counting(2, 16));
  CHECK(message_of([&] { (void)read_embeddings(prefix.path(), PeftConfig::read(prefix.path())); }) ==
        prefix.where() + ": rows 16 wide; wanted 32 (2 layers, 2, token_dim 8)");
  CHECK(message_of([&] { (void)prefix.read(16); }) ==
        prefix.path().string() + ": PREFIX_TUNING was given; wanted PROMPT_TUNING or P_TUNING");
}

TEST_CASE("adapter file: every truncation of the tensors is an error") {
  const AdapterFolder folder;
  folder.put(counting(6, 4));
  const std::string whole = read_text(folder.path() / kTensors);
  REQUIRE(whole.size() > 100);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    folder.write(kTensors, std::string_view(whole).substr(0, size));
    CHECK_THROWS_AS((void)folder.read(4), FileError);
  }
}

TEST_CASE("adapter file: the prompt of a saved state dict is found under its module's name") {
  const AdapterFolder folder;
  for (const auto* name : {"prompt_encoder.default.embedding.weight", "prompt_encoder.embedding.weight", "base_model.model.prompt_embeddings"}) {
    CAPTURE(name);
    write_safetensors(folder.path() / kTensors, std::vector<std::pair<std::string, Tensor>>{{name, counting(6, 4)}});
    CHECK(folder.read(4).embeddings.dims() == Dims{6, 4});
  }
}

TEST_CASE("adapter file: tensors that nothing reads and values that are not finite are warnings") {
  const AdapterFolder folder;
  Tensor prompt = counting(6, 4);
  prompt.values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  write_safetensors(folder.path() / kTensors, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", prompt},
                                                                                          {"base_model.shared.weight", counting(2, 2)}});
  std::vector<std::string> warnings;
  (void)read_prompt(folder.path(), PeftConfig::read(folder.path()), 4, [&](const std::string& text) { warnings.push_back(text); });
  CHECK(warnings ==
        std::vector<std::string>{folder.path().string() + ": 1 other tensor(s) that nothing reads, the first is 'base_model.shared.weight'",
                                 folder.where() + ": 1 of 24 values are not finite"});
}

TEST_CASE("adapter file: what is written reads back, and equal adapters are equal bytes") {
  const TemporaryFolder folder;
  PeftConfig config;
  config.task_type = "SEQ_2_SEQ_LM";
  config.num_virtual_tokens = 3;
  config.token_dim = 4;
  config.num_transformer_submodules = 1;
  const std::vector<std::pair<std::string, Tensor>> tensors = {{"prompt_embeddings", counting(3, 4)}};
  write_adapter(folder.path() / "a" / "b", config, tensors);
  write_adapter(folder.path() / "c", config, tensors);
  const PromptSlot prompt = read_prompt(folder.path() / "a" / "b", PeftConfig::read(folder.path() / "a" / "b"), 4);
  CHECK(prompt.tokens == 3);
  CHECK(numbers(prompt.embeddings) == numbers(counting(3, 4)));
  for (const auto* name : {"adapter_config.json", kTensors}) {
    CHECK(read_text(folder.path() / "a" / "b" / name) == read_text(folder.path() / "c" / name));
  }
  CHECK(SafetensorsFile::open(folder.path() / "c" / kTensors).metadata() == std::map<std::string, std::string>{{"format", "pt"}});
}

TEST_CASE("adapter file: tensors are written as F32, so that a gradient check's adapter loads too") {
  const TemporaryFolder folder;
  write_adapter(folder.path(), {}, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", counting(3, 4).to(Dtype::f64)}});
  CHECK(SafetensorsFile::open(folder.path() / kTensors).dtype("prompt_embeddings") == Dtype::f32);
}

TEST_CASE("adapter file: replacing an adapter leaves no temporary files and no half of the old one") {
  const TemporaryFolder folder;
  write_adapter(folder.path(), {}, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", counting(3, 4)}});
  // the old file stays mapped and whole while the new one takes its name
  const Tensor old = SafetensorsFile::open(folder.path() / kTensors).get("prompt_embeddings");
  write_adapter(folder.path(), {}, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", Tensor(Dtype::f32, {2, 4})}});
  CHECK(numbers(old) == numbers(counting(3, 4)));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()) == 2);
}

TEST_CASE("adapter file: fields that are absent come from the model") {
  const auto model = open_encoder_decoder(golden("t5-v10/model"));
  PeftConfig config;
  config.task_type = "SEQ_2_SEQ_LM";
  const PeftConfig prompt = resolved(config, *model);
  CHECK(prompt.token_dim == 32);
  CHECK(prompt.num_layers == 2);
  CHECK(prompt.num_attention_heads == 4);
  CHECK(prompt.num_transformer_submodules == 2);
  CHECK(!prompt.encoder_hidden_size);
  config.peft_type = PeftType::prefix_tuning;
  config.num_layers = 7;
  const PeftConfig prefix = resolved(config, *model);
  CHECK(prefix.num_layers == 7);
  CHECK(prefix.token_dim == 32);
  CHECK(prefix.encoder_hidden_size == 32);
}

TEST_CASE("adapter file: several folders are the slots of one method, and all must fit the model") {
  const auto model = open_encoder_decoder(golden("t5-v10/model"));
  const AdapterFolder one;
  one.put(counting(3, 32));
  const AdapterFolder other(R"({"peft_type":"PROMPT_TUNING","task_type":"SEQ_2_SEQ_LM","num_virtual_tokens":5})");
  other.put(counting(10, 32));
  const auto method = open_adapters({one.path(), other.path()}, *model);
  const auto trainables = method->trainables();
  REQUIRE(trainables.size() == 2);
  CHECK(trainables[0].name == "0.prompt_embeddings");
  CHECK(trainables[1].name == "1.prompt_embeddings");
  CHECK(trainables[1].value.dims() == Dims{10, 32});
  other.put(counting(10, 16));
  CHECK(message_of([&] {
          (void)open_adapters({one.path(), other.path()}, *model);
        }) == other.path().string() + ": a prompt 16 wide; the model's embeddings are 32 wide");
}

}  // namespace adapter_file_test
