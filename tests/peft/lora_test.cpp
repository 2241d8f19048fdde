#include "peft/lora.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/lora_file.h"
#include "peft/prompt_tuning.h"
#include "peft/save_method.h"
#include "peft/save_model.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/prefixes.h"
#include "tests/support/t5_models.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace lora_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const CausalBatch kBatch{.sequences = {{5, 17, 33, 2, 9}, {90, 4}}};

/// Gives B random numbers, for it starts at zero.
void shake(const LoraTuning& lora) {
  std::uint64_t seed = 0;
  for (const auto& trainable : lora.trainables()) {
    if (!trainable.name.ends_with("lora_B.weight")) continue;
    Tensor target = trainable.value;
    const Tensor numbers_of = random_floats(target.dims(), ++seed);
    std::ranges::copy(numbers_of.values<float>(), target.values<float>().begin());
  }
}

std::unique_ptr<LoraTuning> lora_on(CausalLm& model, LoraConfig config) {
  return make_lora(std::make_unique<NoMethod>(), model, std::move(config), "transformer.", 7);
}

double worst(const LogitsOfRows& a, const LogitsOfRows& b) {
  double most = 0, largest = 0;
  for (std::size_t r = 0; r < a.size(); ++r) {
    for (std::size_t v = 0; v < a[r].size(); ++v) {
      most = std::max(most, std::abs(static_cast<double>(a[r][v]) - static_cast<double>(b[r][v])));
      largest = std::max(largest, std::abs(static_cast<double>(b[r][v])));
    }
  }
  return most / largest;
}

}  // namespace

TEST_CASE("LoRA: targets are last parts of names, an expression of whole names, or every map") {
  CHECK(is_target({.target_modules = {"q", "attn.c_attn"}}, "h.0.attn.c_attn"));
  CHECK_FALSE(is_target({.target_modules = {"attn"}}, "h.0.attn.c_attn"));
  CHECK_FALSE(is_target({.target_modules = {"c_attn"}}, "h.0.attn.other_c_attn"));
  CHECK(is_target({.target_modules = {R"(.*\.[01]\.q)"}, .target_is_pattern = true}, "h.1.q"));
  CHECK_FALSE(is_target({.target_modules = {R"(.*\.[01]\.q)"}, .target_is_pattern = true}, "h.1.q.more"));
  CHECK(is_target({.target_modules = {"all-linear"}, .target_is_pattern = true}, "anything"));
  CHECK_THROWS_AS((void)is_target({.target_modules = {"("}, .target_is_pattern = true}, "x"), ConfigError);
  const auto model = golden_gpt2();
  CHECK(default_targets(maps_inside(*model)) == std::vector<std::string>{"c_attn"});
  CHECK_THROWS_AS((void)default_targets({{"a.b", {1, 1}}}), ConfigError);
}

TEST_CASE("LoRA: new factors leave the model as it is, and A is a function of the seed") {
  const auto plain = golden_gpt2();
  const auto model = golden_gpt2();
  const auto lora = lora_on(*model, {.r = 3});
  CHECK(worst(logits_of(*model, *lora, kBatch), logits_of(*plain, NoMethod(), kBatch)) == 0);
  CHECK(lora->config().fan_in_fan_out);
  CHECK(lora->trainables().size() == 3 * 2);
  CHECK(lora->trainables().front().name == "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight");
  const auto again = golden_gpt2();
  const auto same = lora_on(*again, {.r = 3});
  CHECK(numbers(lora->trainables().front().value) == numbers(same->trainables().front().value));
  CHECK_THROWS_AS((void)lora_on(*model, {.r = 3}), ConfigError);
  CHECK_THROWS_AS((void)lora_on(*again, {.target_modules = {"nothing"}}), ConfigError);
}

TEST_CASE("LoRA: merged weights compute what the additions compute, whichever way the weight lies") {
  const auto model = golden_gpt2();
  const auto lora = lora_on(*model, {.r = 2, .alpha = 3, .target_modules = {"c_attn", "c_fc"}});
  shake(*lora);
  const TemporaryFolder folder;
  save_model_folder(golden("gpt2/model"), folder.path() / "merged", model->parameters());
  const auto merged = Gpt2::open(folder.path() / "merged");
  const auto expected = logits_of(*model, *lora, kBatch);
  CHECK(worst(logits_of(*merged, NoMethod(), kBatch), expected) < 1e-5);
  CHECK(worst(logits_of(*golden_gpt2(), NoMethod(), kBatch), expected) > 1e-2);
}

TEST_CASE("LoRA: an adapter that was written reads back, alone and beside a prompt") {
  const TemporaryFolder folder;
  const auto model = golden_gpt2();
  const auto lora = lora_on(*model, {.r = 2, .alpha = 3});
  shake(*lora);
  MethodRecipe recipe;
  recipe.method = "lora";
  recipe.model = "base";
  save_method(recipe, folder.path() / "alone", *lora, *model);
  CHECK(is_lora(folder.path() / "alone"));
  const auto again = golden_gpt2();
  const auto read = open_adapters({folder.path() / "alone"}, *again);
  CHECK(worst(logits_of(*again, *read, kBatch), logits_of(*model, *lora, kBatch)) == 0);
  CHECK(PeftConfig::read(folder.path() / "alone").lora.target_modules == std::vector<std::string>{"c_attn"});

  // PEFT stores embeddings that were resized beside the factors
  const auto file = folder.path() / "alone" / "adapter_model.safetensors";
  const auto stored = SafetensorsFile::open(file);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& name : stored.names()) tensors.emplace_back(name, stored.get(name).clone());
  tensors.emplace_back("base_model.model.lm_head.weight", random_floats({5, 3}, 1));
  write_safetensors(file, tensors);
  std::vector<std::string> warnings;
  (void)open_adapters({folder.path() / "alone"}, *golden_gpt2(), [&](const std::string& text) { warnings.push_back(text); });
  CHECK(warnings == std::vector<std::string>{(folder.path() / "alone").string() +
                                             ": 1 other tensor(s) that nothing reads, the first is 'base_model.model.lm_head.weight'"});

  const auto both_model = golden_gpt2();
  const auto both = make_lora(std::make_unique<PromptTuning>(std::vector{random_prompt(3, 32, 1)}), *both_model, {.r = 2}, "transformer.", 1);
  shake(*both);
  recipe.method = "prompt";
  save_method(recipe, folder.path() / "both", *both, *both_model);
  const auto reader = golden_gpt2();
  const auto found = open_adapters({folder.path() / "both"}, *reader);
  CHECK(worst(logits_of(*reader, *found, kBatch), logits_of(*both_model, *both, kBatch)) == 0);
  CHECK(found->trainables().size() == 3 * 2 + 1);
  CHECK_THROWS_AS((void)open_adapters({folder.path() / "alone", folder.path() / "both"}, *golden_gpt2()), UnsupportedError);
}

TEST_CASE("LoRA: gradients of A and B are those of the merged weight") {
  // dW = scale-free outer sums; dA = s Bᵀ dW, dB = s dW Aᵀ
  const auto run = [](CausalLm& model, const Method& method, Budget memory) {
    Graph graph = model.parameters().graph();
    const Conditioning conditioning = method.condition(graph);
    CausalBatch batch = kBatch;
    batch.labels = batch.sequences;
    add_loss(model, graph, conditioning, batch.capacity());
    CompileOptions options;
    options.loss = causal::kLoss;
    options.memory = memory;
    Session session(compile(std::move(graph), options));
    feed(session, batch, conditioning, model.limits(), 0.2);
    session.run();
    std::map<std::string, Tensor> gradients;
    for (const auto& [name, value] : session.program().graph().outputs()) {
      if (name.starts_with("grad.")) gradients.emplace(name.substr(5), session.result_tensor(name));
    }
    return gradients;
  };
  const auto model = golden_gpt2();
  const auto lora = lora_on(*model, {.r = 2, .alpha = 3});
  shake(*lora);
  const TemporaryFolder folder;
  save_model_folder(golden("gpt2/model"), folder.path() / "merged", model->parameters());
  Parameters::Options trainable;
  trainable.frozen = freeze_none;
  const auto merged = Gpt2::open(folder.path() / "merged", trainable);
  const auto full = run(*merged, NoMethod(), {});
  for (const Budget memory : {Budget{}, Budget::smallest()}) {
    const auto own = run(*model, *lora, memory);
    for (const auto& [map, factors] : lora->tensors()) {
      CAPTURE(map);
      const std::string leaf = std::string(kLoraPrefix) + module_name(map, "transformer.");
      const Tensor& dw = full.at(map + ".weight");  // [in, out]
      const std::int64_t in = dw.dim(0), out = dw.dim(1), r = factors.a.dim(0);
      const auto w = dw.values<float>();
      const auto a = std::as_const(factors.a).values<float>(), b = std::as_const(factors.b).values<float>();
      const auto da = own.at(leaf + ".lora_A.weight").values<float>(), db = own.at(leaf + ".lora_B.weight").values<float>();
      double error = 0, norm = 0;
      for (std::int64_t i = 0; i < r; ++i) {
        for (std::int64_t k = 0; k < in; ++k) {
          double sum = 0;
          for (std::int64_t n = 0; n < out; ++n) sum += 1.5 * static_cast<double>(b[n * r + i]) * static_cast<double>(w[k * out + n]);
          error += std::pow(static_cast<double>(da[i * in + k]) - sum, 2), norm += sum * sum;
        }
        for (std::int64_t n = 0; n < out; ++n) {
          double sum = 0;
          for (std::int64_t k = 0; k < in; ++k) sum += 1.5 * static_cast<double>(w[k * out + n]) * static_cast<double>(a[i * in + k]);
          error += std::pow(static_cast<double>(db[n * r + i]) - sum, 2), norm += sum * sum;
        }
      }
      CHECK(std::sqrt(error) < 1e-4 * std::sqrt(norm));
    }
  }
}

}  // namespace lora_test
