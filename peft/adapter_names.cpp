#include "peft/adapter_names.h"

#include <algorithm>
#include <array>

#include "peft/prompt_tuning.h"

namespace preamble {
namespace {

[[nodiscard]] bool take(std::string_view& text, std::string_view front) {
  if (!text.starts_with(front)) return false;
  text.remove_prefix(front.size());
  return true;
}

/// The name without what PEFT's wrappers put in front.
[[nodiscard]] std::string_view unwrapped(std::string_view name) {
  while (take(name, "base_model.")) static_cast<void>(take(name, "model."));
  return name;
}

}  // namespace

bool is_prompt_table(std::string_view stored) {
  std::string_view name = unwrapped(stored);
  if (name == PromptTuning::kEmbeddings) return true;
  return take(name, "prompt_encoder.") && name.ends_with("embedding.weight") && std::ranges::count(name, '.') <= 2;
}

bool is_untrained_copy(std::string_view stored) { return stored.find("original_module.") != std::string_view::npos; }

std::optional<std::string> head_tensor_name(std::string_view stored) {
  constexpr std::string_view kSaved = "modules_to_save.";
  if (unwrapped(stored).starts_with("prompt_encoder.") || is_untrained_copy(stored)) return std::nullopt;
  constexpr std::array<std::string_view, 4> kParts = {"dense", "out_proj", "weight", "bias"};
  if (is_prompt_table(stored)) return std::nullopt;
  std::string name(unwrapped(stored));
  if (const auto at = name.find(kSaved); at != std::string::npos) {
    name.erase(at, kSaved.size());
    // an adapter's name, unless a part of the head stands there
    const auto end = name.find('.', at);
    const std::string_view next = std::string_view(name).substr(at, end == std::string::npos ? end : end - at);
    if (end != std::string::npos && std::ranges::find(kParts, next) == kParts.end()) name.erase(at, end + 1 - at);
  }
  return name;
}

}  // namespace preamble
