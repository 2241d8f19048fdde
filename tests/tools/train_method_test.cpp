#include "tools/train_method.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"
#include "tools/train_command.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The small T5 of the demo, which has a tokenizer.
struct Setting {
  [[nodiscard]] std::unique_ptr<Method> make() { return make_method(args, task, *model, *tokenizer); }

  /// Makes the method, saves it, and checks that both condition alike. Returns the folder.
  std::filesystem::path round_trip(const std::string& name) {
    args.output_dir = folder.path() / name;
    const auto method = make();
    save_method(args, args.output_dir, *method, *model);
    const auto saved = open_adapters({args.output_dir}, *model);
    const Seq2SeqBatch batch = small_batch();
    check_close(numbers(logits_of(*model, *saved, batch)), numbers(logits_of(*model, *method, batch)), 1e-5);
    return args.output_dir;
  }

  TemporaryFolder folder;
  std::filesystem::path demo = golden("../../tools/demo_model");
  std::unique_ptr<EncoderDecoder> model = open_encoder_decoder(demo);
  std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(demo);
  TextTask task{.input = "{text}", .target = "{text}"};
  TrainArguments args = [this] {
    TrainArguments made;
    made.model = demo;
    made.init.tokens = 3;
    return made;
  }();
};

}  // namespace

TEST_CASE("train method: a saved adapter conditions as the method did, whatever the method") {
  Setting s;
  s.args.method = "prefix";
  const auto plain = s.round_trip("prefix");
  CHECK(PeftConfig::read(plain).num_transformer_submodules == 2);
  CHECK_FALSE(std::filesystem::exists(plain / "reparametrisation.safetensors"));
  s.args.method_options.prefix_projection = true;
  const auto projected = s.round_trip("projected");
  CHECK(PeftConfig::read(projected).prefix_projection);
  CHECK(std::filesystem::exists(projected / "reparametrisation.safetensors"));
  s.args.method_options.prefix_sites = {"cross", "encoder_self"};
  s.args.method_options.prefix_layers = {1};
  CHECK(NativePrefix::is_in(s.round_trip("native")));
  s.args.method = "ptuning";
  s.args.method_options.encoder_hidden_size = 7;
  s.round_trip("mlp");
  s.args.method_options.encoder_reparameterization_type = "LSTM";
  s.args.method_options.encoder_dropout = 0.25;
  s.args.submodules = 2;
  const auto lstm = s.round_trip("lstm");
  CHECK(PeftConfig::read(lstm).encoder_reparameterization_type == "LSTM");
  CHECK(PeftConfig::read(lstm).encoder_hidden_size == 7);
  CHECK(PeftConfig::read(lstm).encoder_dropout == 0.25);
  s.args.method = "prompt";
  CHECK(PeftConfig::read(s.round_trip("prompt")).num_transformer_submodules == 2);
}

TEST_CASE("train method: a saved network goes on where it was") {
  Setting s;
  s.args.method = "ptuning";
  const auto folder = s.round_trip("mlp");
  const auto method = s.make();
  const auto again = open_adapters({folder}, *s.model, {}, folder / "reparametrisation.safetensors");
  REQUIRE(again->trainables().size() == method->trainables().size());
  for (std::size_t i = 0; i < again->trainables().size(); ++i) {
    CHECK(again->trainables()[i].name == method->trainables()[i].name);
    CHECK(numbers(again->trainables()[i].value) == numbers(method->trainables()[i].value));
  }
}

TEST_CASE("train method: a prefix starts from words or from another prefix") {
  Setting s;
  s.args.method = "prefix";
  s.args.method_options.prefix_init = "text";
  s.args.method_options.prefix_init_text = "the word class";
  s.args.method_options.prefix_sites = {"decoder_self"};
  const auto words = s.round_trip("words");
  s.args.method_options.prefix_sites = {};
  s.args.submodules = 1;
  const auto peft = s.make();
  s.args.method_options.prefix_init = "adapter";
  CHECK_THROWS_WITH_AS((void)s.make(), "--prefix-init adapter: wanted --init-adapter DIR with it", ConfigError);
  s.args.init_adapter = words;
  CHECK(numbers(s.make()->trainables()[0].value) == numbers(peft->trainables()[0].value));
}

TEST_CASE("train method: says which options do not go together") {
  Setting s;
  s.args.method = "prefix";
  s.args.method_options.prefix_sites = {"cross"};
  s.args.method_options.prefix_layers = {99};
  CHECK_THROWS_WITH_AS((void)s.make(), "--prefix-layers 99: 'cross' has none of them; wanted layers below 3", ConfigError);
}
