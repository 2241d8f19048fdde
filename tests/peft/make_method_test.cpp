#include "peft/make_method.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "peft/save_method.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace make_method_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The small T5 of the demo, which has a tokenizer.
struct Setting {
  [[nodiscard]] std::unique_ptr<Method> make() { return make_method(recipe, task, *model, *tokenizer); }

  /// Makes the method, saves it, and checks that both condition alike. Returns the folder.
  std::filesystem::path round_trip(const std::string& name) {
    const auto out = folder.path() / name;
    const auto method = make();
    save_method(recipe, out, *method, *model);
    const auto saved = open_adapters({out}, *model);
    const Seq2SeqBatch batch = small_batch();
    check_close(numbers(logits_of(*model, *saved, batch)), numbers(logits_of(*model, *method, batch)), 1e-5);
    return out;
  }

  TemporaryFolder folder;
  std::filesystem::path demo = golden("../../tools/demo_model");
  std::unique_ptr<EncoderDecoder> model = open_encoder_decoder(demo);
  std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(demo);
  TextTask task{.input = "{text}", .target = "{text}"};
  MethodRecipe recipe = [this] {
    MethodRecipe made;
    made.model = demo;
    made.init.tokens = 3;
    return made;
  }();
};

}  // namespace

TEST_CASE("make_method: a saved adapter conditions as the method did, whatever the method") {
  Setting s;
  s.recipe.method = "prefix";
  const auto plain = s.round_trip("prefix");
  CHECK(PeftConfig::read(plain).num_transformer_submodules == 2);
  CHECK_FALSE(std::filesystem::exists(plain / "reparametrisation.safetensors"));
  s.recipe.method_options.prefix_projection = true;
  const auto projected = s.round_trip("projected");
  CHECK(PeftConfig::read(projected).prefix_projection);
  CHECK(std::filesystem::exists(projected / "reparametrisation.safetensors"));
  s.recipe.method_options.prefix_sites = {"cross", "encoder_self"};
  s.recipe.method_options.prefix_layers = {1};
  CHECK(NativePrefix::is_in(s.round_trip("native")));
  s.recipe.method = "ptuning";
  s.recipe.method_options.encoder_hidden_size = 7;
  s.round_trip("mlp");
  s.recipe.method_options.encoder_reparameterization_type = "LSTM";
  s.recipe.method_options.encoder_dropout = 0.25;
  s.recipe.submodules = 2;
  const auto lstm = s.round_trip("lstm");
  CHECK(PeftConfig::read(lstm).encoder_reparameterization_type == "LSTM");
  CHECK(PeftConfig::read(lstm).encoder_hidden_size == 7);
  CHECK(PeftConfig::read(lstm).encoder_dropout == 0.25);
  s.recipe.method = "prompt";
  CHECK(PeftConfig::read(s.round_trip("prompt")).num_transformer_submodules == 2);
}

TEST_CASE("make_method: a saved network goes on where it was") {
  Setting s;
  s.recipe.method = "ptuning";
  const auto folder = s.round_trip("mlp");
  const auto method = s.make();
  const auto again = open_adapters({folder}, *s.model, {}, folder / "reparametrisation.safetensors");
  REQUIRE(again->trainables().size() == method->trainables().size());
  for (std::size_t i = 0; i < again->trainables().size(); ++i) {
    CHECK(again->trainables()[i].name == method->trainables()[i].name);
    CHECK(numbers(again->trainables()[i].value) == numbers(method->trainables()[i].value));
  }
}

TEST_CASE("make_method: a prefix starts from words or from another prefix") {
  Setting s;
  s.recipe.method = "prefix";
  s.recipe.method_options.prefix_init = "text";
  s.recipe.method_options.prefix_init_text = "the word class";
  s.recipe.method_options.prefix_sites = {"decoder_self"};
  const auto words = s.round_trip("words");
  s.recipe.method_options.prefix_sites = {};
  s.recipe.submodules = 1;
  const auto peft = s.make();
  s.recipe.method_options.prefix_init = "adapter";
  CHECK_THROWS_WITH_AS((void)s.make(), "prefix_init adapter: no init_adapter was given; wanted the folder of one", ConfigError);
  s.recipe.init_adapter = words;
  CHECK(numbers(s.make()->trainables()[0].value) == numbers(peft->trainables()[0].value));
}

TEST_CASE("make_method: says which options do not go together") {
  Setting s;
  s.recipe.method = "prefix";
  s.recipe.method_options.prefix_sites = {"cross"};
  s.recipe.method_options.prefix_layers = {99};
  CHECK_THROWS_WITH_AS((void)s.make(), "prefix_layers 99: 'cross' has none of them; wanted layers below 3", ConfigError);
}

}  // namespace make_method_test
