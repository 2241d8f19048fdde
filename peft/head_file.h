// Heads in adapter folders: PEFT's `modules_to_save`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/heads/headed_encoder.h"
#include "peft/peft_config.h"

namespace preamble {

/// In front of the names of a head's tensors in adapters.
inline constexpr std::string_view kHeadPrefix = "base_model.";
/// A key in adapter_config.json that PEFT does not know. `token`: a SEQ_CLS head reads the first real token behind a prompt, where PEFT's
/// reads the first virtual one, and a QUESTION_ANS adapter gets the token types, which PEFT drops. Without it a folder is computed as PEFT
/// does.
inline constexpr std::string_view kPoolingKey = "preamble_pooling";
/// Likewise: the task, where `task_type` is another one because PEFT has no such task or no such head for it. PEFT then reads
/// SEQ_CLS: scores of choices as a sequence's only logit (`num_labels=1`); TOKEN_CLS: a head without pooler, whose logits are those of
/// [CLS]; FEATURE_EXTRACTION: the encoder's output without the head.
inline constexpr std::string_view kTaskKey = "preamble_task";
/// Likewise: the pooler, where it is not what transformers' class has (see `Pooler`). A preamble.json has it as `pooler`.
inline constexpr std::string_view kPoolerKey = "preamble_pooler";

/// The head that an adapter folder holds, PEFT's layout or the native one; empty if it has none.
[[nodiscard]] HeadTensors read_head(const std::filesystem::path& folder);

/// Whether `task`, or else an adapter among the folders, names a task with a head (or FEATURE_EXTRACTION): a decoder-only model is opened as an
/// encoder then.
[[nodiscard]] bool names_head(const std::vector<std::filesystem::path>& folders, const std::string& task);

/// The encoder with what `task` and adapters add to it. `task`: SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS, MASKED_LM,
/// FEATURE_EXTRACTION, or empty: as the folders say. Heads of several adapters are heads 0, 1, ...; where none brings a head of its own
/// there is one. Adapters' heads are trained under the names of their files. `trainable`: weights that stand in for those of the only
/// adapter, where it has them. `pooler`: of a head that no folder brings. Throws ConfigError for no task or different ones, and FileError
/// for a head that neither the checkpoint nor the adapter has.
[[nodiscard]] HeadedEncoder open_heads(EncoderModel& model, const std::vector<std::filesystem::path>& folders, const std::string& task,
                                       const std::optional<std::filesystem::path>& trainable = {}, Pooler pooler = Pooler::automatic);

/// What a head adds to an adapter in PEFT's layout: its tensors under their names there, `task_type` and `modules_to_save`, and the
/// keys above where `encoder` does not compute as PEFT does.
void add_head(const HeadedEncoder& encoder, const Head& head, PeftConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace preamble
