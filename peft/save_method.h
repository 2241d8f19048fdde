// An adapter folder out of a trained method.
#pragma once

#include <filesystem>

#include "models/heads/headed_encoder.h"
#include "peft/method.h"
#include "peft/method_recipe.h"

namespace preamble {

/// The head that is saved with an adapter, if any.
struct SavedHead {
  const HeadedEncoder* encoder = nullptr;
  const Head* head = nullptr;
};

/// Writes the adapter of a method that `make_method` made: PEFT's layout, or the native one where PEFT has none (a head alone is a
/// native prefix of no sites). Reparametrisations are folded; their own weights go to reparametrisation.safetensors beside it.
void save_method(const MethodRecipe& recipe, const std::filesystem::path& folder, const Method& method, const LanguageModel& model,
                 const SavedHead& head = {});

}  // namespace preamble
