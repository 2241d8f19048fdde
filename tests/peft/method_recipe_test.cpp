#include "peft/method_recipe.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/open_model.h"
#include "tests/support/golden.h"

namespace method_recipe_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("method_recipe: the learning rate goes by method and optimizer") {
  MethodRecipe recipe;
  for (const char* method : {"prompt", "ptuning", "prefix", "head"}) {
    recipe.method = method;
    CHECK(default_learning_rate(recipe, "adafactor") == 0.3);
    CHECK(default_learning_rate(recipe, "adamw") < 0.1);
  }
  recipe.method = "prefix";
  CHECK(default_learning_rate(recipe, "adamw") == 1e-2);
  recipe.method_options.prefix_projection = true;
  CHECK(default_learning_rate(recipe, "adamw") == 5e-5);
  recipe.method = "full";
  CHECK(default_learning_rate(recipe, "adamw") == 5e-5);
  CHECK(default_learning_rate(recipe, "adafactor") == 1e-3);
  CHECK(default_learning_rate(recipe, "sgd") == 1e-2);
}

TEST_CASE("method_recipe: submodules and initialisers go by method, model and task") {
  const auto model = open_encoder_decoder(golden("../../tools/demo_model"));
  MethodRecipe recipe;
  CHECK_FALSE(is_single_stack(*model));
  CHECK(submodules_of(recipe, *model) == 1);
  CHECK(prompt_init_name(recipe, {.input = "{x}", .target = "{y}"}) == "sample_vocab");
  CHECK(prompt_init_name(recipe, {.input = "{x}", .labels = "0=a"}) == "class_labels");
  recipe.method = "prefix";
  CHECK(submodules_of(recipe, *model) == 2);
  CHECK(prompt_init_name(recipe, {.input = "{x}"}) == "none");
  recipe.submodules = 1;
  CHECK(submodules_of(recipe, *model) == 1);
}

}  // namespace method_recipe_test
