// Adapter folders in PEFT's layout.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/language_model.h"
#include "peft/method.h"
#include "peft/peft_config.h"
#include "peft/prefix_tuning.h"
#include "peft/prompt_tuning.h"

namespace preamble {

/// Opens one adapter folder per slot: prompts and prefixes in PEFT's layout or in the native ones. All must be of one kind and fit
/// the model. `trainable`: weights of the reparametrisation of the only adapter, under the names of PEFT's state dict; without
/// them the folded rows are used (and trained). Throws FileError, UnsupportedError, ConfigError.
[[nodiscard]] std::unique_ptr<Method> open_adapters(const std::vector<std::filesystem::path>& folders, LanguageModel& model,
                                                    const Warn& warn = {}, const std::optional<std::filesystem::path>& trainable = {});

/// An owned F32 copy of a floating tensor that a file holds; warns in the name of `where` of values that are not finite.
[[nodiscard]] Tensor owned_floats(const Tensor& stored, const std::string& where, const Warn& warn);

/// The tensor `prompt_embeddings` of an adapter of any type: an owned F32 copy with all rows that are stored, and how many of
/// them are virtual tokens. It may be F32, F16, BF16 or F64, in adapter_model.safetensors or adapter_model.bin.
/// The number of submodules is that of the config or, where it is absent, what the rows say: PEFT takes 2 for
/// encoder-decoders then, but a file with half the rows is complete too. Throws FileError if there is no such matrix or if it
/// contradicts the config; warns of other tensors in the file, which nothing reads, and of values that are not finite.
[[nodiscard]] PromptSlot read_embeddings(const std::filesystem::path& folder, const PeftConfig& config, const Warn& warn = {});

/// The prompt of a PROMPT_TUNING (or a folded P_TUNING) folder. `width`: of the model's embedding. Throws as
/// `read_embeddings`, and UnsupportedError for a prefix, FileError for another width.
[[nodiscard]] PromptSlot read_prompt(const std::filesystem::path& folder, const PeftConfig& config, std::int64_t width,
                                     const Warn& warn = {});

/// The prefix of a PREFIX_TUNING folder, for the model's `prefix_site`, with PEFT's rule for which layer reads what.
/// `trainable`: as for `open_adapters`. Throws FileError if it does not fit the model.
[[nodiscard]] SitePrefixTable read_prefix(const std::filesystem::path& folder, const PeftConfig& config, const LanguageModel& model,
                                          const std::optional<std::filesystem::path>& trainable = {}, const Warn& warn = {});

/// The config with those fields filled in that are absent and that PEFT derives from the model: token_dim, num_layers,
/// num_attention_heads, num_transformer_submodules, encoder_hidden_size. Where PEFT takes the width of the embeddings for a
/// prefix, this takes the width of the keys (T5's differ in some sizes, and there PEFT fails).
[[nodiscard]] PeftConfig resolved(PeftConfig config, const LanguageModel& model);

/// Writes adapter_config.json and adapter_model.safetensors (F32) so that PEFT loads them. The folder is made if need be; each
/// file is replaced atomically, the tensors first.
void write_adapter(const std::filesystem::path& folder, const PeftConfig& config, std::span<const std::pair<std::string, Tensor>> tensors);

}  // namespace preamble
