// `preamble run` against what transformers and PEFT compute, case by case: tests/golden/*/cases.
#include "tests/support/golden.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "data/tensor_archive.h"
#include "engine/core/file.h"
#include "tests/data/torch_builder.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"
#include "tools/commands.h"

namespace tools_golden_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The working folder while it lives: the paths of a case are relative to its own.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& path) : outer_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() { std::filesystem::current_path(outer_); }

 private:
  std::filesystem::path outer_;
};

/// Parses and runs a command line as `preamble` does.
void run(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"preamble", "run"};
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  CLI::App app;
  add_run(app);
  app.parse(static_cast<int>(argv.size()), argv.data());
}

void check_whole_numbers(const Tensor& given, const Tensor& expected) {
  REQUIRE(!is_floating(given.dtype()));
  const Tensor a = given.to(Dtype::i32);
  const Tensor b = expected.to(Dtype::i32);
  CHECK(std::ranges::equal(a.values<std::int32_t>(), b.values<std::int32_t>()));
}

/// The norm of the difference, relative to the norm of what is expected; absolute where that is almost zero.
void check_real_numbers(const Tensor& given, const Tensor& expected, double tolerance) {
  constexpr double kZero = 1e-6;
  const Tensor a = given.to(Dtype::f64);
  const Tensor b = expected.to(Dtype::f64);
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.values<double>().size(); ++i) {
    const double x = a.values<double>()[i];
    const double y = b.values<double>()[i];
    error += (x - y) * (x - y);
    norm += y * y;
  }
  norm = std::sqrt(norm);
  CHECK(std::sqrt(error) <= tolerance * (norm >= kZero ? norm : 1.0));
}

void check_results(const TensorFile& given, const TensorFile& expected, const nlohmann::json& tolerances) {
  REQUIRE(!tolerances.empty());
  for (const auto& [name, entry] : tolerances.items()) {
    CAPTURE(name);
    REQUIRE(given.contains(name));
    REQUIRE(given.dims(name) == expected.dims(name));
    const Tensor wanted = expected.get(name);
    if (is_floating(wanted.dtype())) {
      check_real_numbers(given.get(name), wanted, entry.at("tol").get<double>());
    } else {
      check_whole_numbers(given.get(name), wanted);
    }
  }
}

/// Runs all cases of an architecture under more options; returns how many there were.
int run_cases(const std::string& architecture, const std::vector<std::string>& more) {
  int count = 0;
  TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(golden(architecture + "/cases"))) {
    if (!std::filesystem::exists(entry.path() / "case.json")) continue;
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const auto spec = nlohmann::json::parse(read_text(entry.path() / "case.json"));
    const auto out = folder.path() / (name + ".safetensors");
    auto arguments = spec.at("args").get<std::vector<std::string>>();
    arguments.insert(arguments.end(), {"--out", out.string()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const WorkingFolder here(entry.path());
    REQUIRE_NOTHROW(run(arguments));
    check_results(SafetensorsFile::open(out), SafetensorsFile::open("out.safetensors"), spec.at("expect"));
    ++count;
  }
  return count;
}

/// Every way of running a case must give the golden results.
void check_architecture(const std::string& architecture, int at_least) {
  const Threads restored(0);
  for (const auto* threads : {"1", "2"}) {
    for (const auto* budget : {"auto", "none", "min"}) {
      CAPTURE(threads);
      CAPTURE(budget);
      CHECK(run_cases(architecture, {"--threads", threads, "--memory-budget", budget}) >= at_least);
    }
  }
}

using Named = std::vector<std::pair<std::string, Tensor>>;

/// The floating tensors of a checkpoint cut to what float16 and bfloat16 hold exactly: no more than 7 bits behind the point, and 0 for what
/// float16 has no normal number for.
template <class Source>
Named cut(const Source& source) {
  Named tensors;
  for (const auto& name : source.names()) {
    Tensor tensor = source.get(name);
    if (is_floating(tensor.dtype())) {
      Tensor rounded(Dtype::f32, tensor.dims());
      convert(tensor.data(), tensor.dtype(), rounded.data(), Dtype::f32, static_cast<std::size_t>(tensor.count()));
      for (float& x : rounded.values<float>()) {
        x = std::abs(x) < 0x1p-14F ? 0.0F : std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xFFFF0000U);
        REQUIRE(std::abs(x) < 65504);
      }
      tensor = std::move(rounded);
    }
    tensors.emplace_back(name, std::move(tensor));
  }
  return tensors;
}

/// The same numbers in two bytes each.
Named halved(const Named& tensors, Dtype dtype) {
  Named result;
  for (const auto& [name, wide] : tensors) {
    if (!is_floating(wide.dtype())) {
      result.emplace_back(name, wide);
      continue;
    }
    Tensor half(dtype, wide.dims());
    auto* bits = static_cast<std::uint16_t*>(half.data());
    for (const float x : wide.values<float>()) {
      const auto wide_bits = std::bit_cast<std::uint32_t>(x);
      const std::uint32_t exponent = x == 0 ? 0 : (wide_bits >> 23U & 0xFFU) - 112;
      const std::uint32_t half_bits = (wide_bits >> 16U & 0x8000U) | exponent << 10U | (wide_bits >> 13U & 0x3FFU);
      *bits++ = static_cast<std::uint16_t>(dtype == Dtype::f16 ? half_bits : wide_bits >> 16U);
    }
    result.emplace_back(name, std::move(half));
  }
  return result;
}

/// torch.save of the floating tensors among them.
std::string bin_of(const Named& tensors) {
  std::vector<std::pair<std::string, std::string>> storages, entries;
  for (const auto& [name, tensor] : tensors) {
    if (!is_floating(tensor.dtype())) continue;
    Dims strides(tensor.dims().size(), 1);
    for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.dims()[i];
    const std::string key = std::to_string(storages.size());
    const auto* type = tensor.dtype() == Dtype::f16 ? "HalfStorage" : "BFloat16Storage";
    storages.emplace_back(key, std::string(static_cast<const char*>(tensor.data()), static_cast<std::size_t>(tensor.count()) * 2));
    entries.emplace_back(name, pickled::tensor(pickled::storage(type, key, tensor.count()), 0, tensor.dims(), strides));
  }
  return torch_zip(pickled::state_dict(entries), storages);
}

/// Runs a case with another model or adapter and returns what it writes.
std::filesystem::path run_with(const std::filesystem::path& folder, const std::string& option, const std::filesystem::path& value,
                               const std::filesystem::path& out) {
  const auto spec = nlohmann::json::parse(read_text(folder / "case.json"));
  auto arguments = spec.at("args").get<std::vector<std::string>>();
  const auto place = std::ranges::find(arguments, option);
  REQUIRE(place != arguments.end());
  *(place + 1) = value.string();
  arguments.insert(arguments.end(), {"--out", out.string()});
  const WorkingFolder here(folder);
  REQUIRE_NOTHROW(run(arguments));
  return out;
}

void check_same_bits(const std::filesystem::path& a, const std::filesystem::path& b) {
  const SafetensorsFile one = SafetensorsFile::open(a), two = SafetensorsFile::open(b);
  REQUIRE(one.names() == two.names());
  for (const auto& name : one.names()) {
    CAPTURE(name);
    const Tensor x = one.get(name), y = two.get(name);
    REQUIRE(x.count() == y.count());
    CHECK(std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.count()) * size_of(x.dtype())) == 0);
  }
}

/// A checkpoint of two bytes a number, in both kinds of files, must give the bits of its float32 copy.
void check_half_model(const std::string& architecture, const std::string& name) {
  CAPTURE(architecture);
  const auto model = golden(architecture + "/model"), folder = golden(architecture + "/cases/" + name);
  const Named wide = cut(TensorArchive(model));
  const TemporaryFolder scratch;
  const auto make = [&](const std::string& kind) {
    std::filesystem::create_directories(scratch.path() / kind);
    std::filesystem::copy_file(model / "config.json", scratch.path() / kind / "config.json");
    return scratch.path() / kind;
  };
  const auto logits = [&](const std::string& kind) { return run_with(folder, "--model", scratch.path() / kind, scratch.path() / (kind + "-out")); };
  write_safetensors(make("wide") / "model.safetensors", wide);
  const auto expected = logits("wide");
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    CAPTURE(name_of(dtype));
    const Named half = halved(wide, dtype);
    const auto kind = std::string(name_of(dtype));
    write_safetensors(make(kind) / "model.safetensors", half);
    check_same_bits(expected, logits(kind));
    make(kind + "-bin");
    scratch.write(kind + "-bin/pytorch_model.bin", bin_of(half));
    check_same_bits(expected, logits(kind + "-bin"));
  }
}

/// The same for the one file of an adapter.
void check_half_adapter(const std::string& path, const std::string& file) {
  CAPTURE(path);
  const auto folder = golden(path);
  const TemporaryFolder scratch;
  const auto results = [&](const std::string& kind, const Named& tensors) {
    std::filesystem::copy(folder / "adapter", scratch.path() / kind);
    std::filesystem::remove(scratch.path() / kind / file);
    write_safetensors(scratch.path() / kind / file, tensors);
    return run_with(folder, "--adapter", scratch.path() / kind, scratch.path() / (kind + "-out"));
  };
  const Named wide = cut(SafetensorsFile::open(folder / "adapter" / file));
  const auto expected = results("wide", wide);
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    CAPTURE(name_of(dtype));
    check_same_bits(expected, results(std::string(name_of(dtype)), halved(wide, dtype)));
  }
}

}  // namespace

TEST_CASE("golden: checkpoints in float16 and bfloat16 compute as their float32 copies, for every family") {
  for (const auto& [architecture, name] : std::vector<std::pair<std::string, std::string>>{{"t5-v10", "decoder-attention-mask"},
                                                                                           {"t5-v11", "decoder-attention-mask"},
                                                                                           {"mt5", "full-grad"},
                                                                                           {"umt5", "full-grad"},
                                                                                           {"gpt2", "forward"},
                                                                                           {"bart", "decoder-attention-mask"},
                                                                                           {"bert", "features"},
                                                                                           {"roberta", "features"},
                                                                                           {"deberta-v2", "features"},
                                                                                           {"xlm-roberta", "features"},
                                                                                           {"distilbert", "features"},
                                                                                           {"electra", "features"}}) {
    check_half_model(architecture, name);
  }
}

TEST_CASE("golden: adapters in float16 and bfloat16 compute as their float32 copies") {
  for (const auto* path : {"t5-v11/cases/prompt-s1-grad", "gpt2/cases/prompt-grad", "bert/cases/prefix-cls-grad", "xlm-roberta/cases/prompt-tok-grad",
                           "distilbert/cases/prompt-cls-peft-grad"}) {
    check_half_adapter(path, "adapter_model.safetensors");
  }
  check_half_adapter("mt5/cases/prefix3-grad", "prefix.safetensors");
  check_half_adapter("electra/cases/prefix-mlm-grad", "prefix.safetensors");
}

TEST_CASE("golden: T5 v1.0, tied and with ReLU") { check_architecture("t5-v10", 32); }

TEST_CASE("golden: T5 v1.1, untied and gated") { check_architecture("t5-v11", 28); }

TEST_CASE("golden: T5 with prompts large enough for the factored Adafactor") { check_architecture("t5-d128", 5); }

TEST_CASE("golden: GLM, which fills blanks") { check_architecture("glm", 22); }

TEST_CASE("golden: GPT-2") { check_architecture("gpt2", 11); }

TEST_CASE("golden: BERT, with heads of every task") { check_architecture("bert", 18); }

TEST_CASE("golden: RoBERTa, with its two-layer head") { check_architecture("roberta", 9); }

TEST_CASE("golden: XLM-RoBERTa") { check_architecture("xlm-roberta", 7); }

TEST_CASE("golden: DistilBERT, with its own names and heads") { check_architecture("distilbert", 8); }

TEST_CASE("golden: ELECTRA, with embeddings of another width") { check_architecture("electra", 8); }

TEST_CASE("golden: mT5, tied and not scaled") { check_architecture("mt5", 4); }

TEST_CASE("golden: UMT5, with relative positions of each layer") { check_architecture("umt5", 4); }

TEST_CASE("golden: BART, with scaled embeddings and stacks of different depths") { check_architecture("bart", 12); }

TEST_CASE("golden: Llama, with heads of keys that queries share") { check_architecture("llama", 7); }

TEST_CASE("golden: Llama 3, with scaled rotary positions and several ends") { check_architecture("llama3", 3); }

TEST_CASE("golden: Llama with dynamic rotary positions, behind the length of its pretraining") { check_architecture("llama_dynamic", 4); }

TEST_CASE("golden: Mistral, with a window shorter than the text") { check_architecture("mistral", 4); }

TEST_CASE("golden: Qwen2, with windows in some layers") { check_architecture("qwen2", 2); }

TEST_CASE("golden: Qwen3, with norms of queries and keys") { check_architecture("qwen3", 4); }

TEST_CASE("golden: GPT-NeoX, with parallel and sequential residuals") { check_architecture("gpt_neox", 4); }

TEST_CASE("golden: Gemma, with scaled tokens and scales of 1 + w") { check_architecture("gemma", 4); }

TEST_CASE("golden: heads on Llama and GPT-2, which read the last token") { check_architecture("decoder_heads", 6); }

}  // namespace tools_golden_test
