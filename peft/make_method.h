// A method with initial values, out of a recipe.
#pragma once

#include <memory>

#include "data/tokenizers/tokenizer.h"
#include "models/language_model.h"
#include "peft/method.h"
#include "peft/method_recipe.h"
#include "peft/text_task.h"

namespace preamble {

/// `prompt`, `ptuning` or `prefix` with initial values. `task` gives the labels of a prompt that starts as class labels. Throws
/// ConfigError, FileError.
[[nodiscard]] std::unique_ptr<Method> make_method(const MethodRecipe& recipe, const TextTask& task, LanguageModel& model,
                                                  const Tokenizer& tokenizer);

}  // namespace preamble
