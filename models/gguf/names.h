// llama.cpp's names of tensors as those of Hugging Face checkpoints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// Architectures of GGUF files (`general.architecture`) whose tensors have names here, in alphabetical order: bert, gemma, gpt2, gptneox, llama
/// (Llama, Mistral, SmolLM2, TinyLlama), qwen2, qwen3, t5.
[[nodiscard]] std::vector<std::string_view> gguf_architectures();

/// `blk.3.attn_qkv.weight` of a gpt2 is `h.3.attn.c_attn.weight`. `gated`: a t5's feed-forward part has a gate (v1.1). Absent for a tensor
/// that the checkpoint does not have.
[[nodiscard]] std::optional<std::string> checkpoint_name(std::string_view architecture, std::string_view name, bool gated);

}  // namespace preamble
