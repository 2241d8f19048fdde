// The names that tensors have in adapter files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace preamble {

/// Whether a tensor is the table of the prompt: `prompt_embeddings`, or `prompt_encoder.default.embedding.weight` where a state dict of PEFT's
/// model was saved.
[[nodiscard]] bool is_prompt_table(std::string_view stored);

/// Whether a tensor is of the module that PEFT keeps beside the one it trains (`original_module`).
[[nodiscard]] bool is_untrained_copy(std::string_view stored);

/// The name that the tensor of a head has in the model (`classifier.weight`), from any form of it in adapters: `base_model.` or `base_model.model.`
/// in front, once, several times or not at all; `modules_to_save.` with or without an adapter's name inside. Absent for prompts and untrained copies.
[[nodiscard]] std::optional<std::string> head_tensor_name(std::string_view stored);

}  // namespace preamble
