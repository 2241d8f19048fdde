#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/adapter_file.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"
#include "tests/support/prefixes.h"
#include "tests/support/temporary_folder.h"

namespace open_adapters_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::filesystem::path case_of(const std::string& name) { return golden("t5-v11/cases/" + name); }

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("open adapters: the folder says which method it is") {
  const auto model = golden_t5();
  const auto open = [&](const std::string& name, bool trainable) {
    const auto folder = case_of(name);
    return open_adapters({folder / "adapter"}, *model, {}, trainable ? std::optional(folder / "trainable.safetensors") : std::nullopt);
  };
  CHECK(dynamic_cast<const PromptTuning*>(open("prompt-s1-grad", false).get()) != nullptr);
  CHECK(dynamic_cast<const PromptTuning*>(open("ptuning-lstm-folded", false).get()) != nullptr);
  CHECK(dynamic_cast<const PTuning*>(open("ptuning-lstm-grad", true).get()) != nullptr);
  const auto peft = open("prefix-s2-grad", false);
  CHECK(dynamic_cast<const PrefixTuning&>(*peft).positions() == PrefixPositions{.shifted = true, .relative = true});
  CHECK(open("prefix-projected-grad", true)->trainables().size() == 5);
  CHECK(open("prefix-projected-folded", false)->trainables().size() == 1);
  const auto native = open("prefix3-grad", false);
  CHECK(dynamic_cast<const PrefixTuning&>(*native).positions() == PrefixPositions{});
  CHECK(native->trainables().size() == 6);
}

TEST_CASE("open adapters: several folders of one kind share a program, of different kinds they do not") {
  const auto model = golden_t5();
  const auto one = case_of("prefix3-grad") / "adapter";
  const auto other = case_of("prefix-s1-grad") / "adapter";
  const auto two = open_adapters({other, case_of("prefix-s2-grad") / "adapter"}, *model);
  CHECK(two->trainables().at(1).name == "1.prompt_embeddings");
  CHECK(message_of([&] {
          (void)open_adapters({one, other}, *model);
        }) == one.string() + " and " + other.string() + ": adapters of different kinds; wanted one kind");
  CHECK(message_of([&] {
          (void)open_adapters({one, one}, *model, {}, case_of("ptuning-mlp-grad") / "trainable.safetensors");
        }) == "reparametrisation weights: 2 adapters were given with them; wanted one");
}

TEST_CASE("open adapters: a prefix for another model is refused with both shapes") {
  const auto model = golden_t5();
  const auto folder = golden("t5-v10/cases/prefix-s1-grad/adapter");
  CHECK(message_of([&] { (void)open_adapters({folder}, *model); }) ==
        folder.string() + ": a prefix for 2 layers, 4 heads, token_dim 32; the model has 3, 5 and 40");
}

TEST_CASE("open adapters: weights of another reparametrisation are refused") {
  const auto model = golden_t5();
  const auto weights = case_of("ptuning-mlp-grad") / "trainable.safetensors";
  CHECK(message_of([&] { (void)open_adapters({case_of("prefix-projected-grad") / "adapter"}, *model, {}, weights); }) ==
        weights.string() + ": tensor 'transform.0.weight' is missing; wanted the weights of a reparametrisation");
}

}  // namespace open_adapters_test
