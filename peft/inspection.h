// What an adapter folder holds, as facts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

/// The facts about one adapter folder:
///
///   adapter, peft_type, task_type, placement, base_model_name_or_path, num_virtual_tokens, num_transformer_submodules, num_layers
///   rows, width         of the stored tensor
///   trainable, used     numbers that are stored, and those of them that a forward pass reads
///   resumable           whether the state of its training lies beside it
///   task                templates and labels, if they lie beside it
///   norm                min, mean and max of the Euclidean norms of the virtual tokens
///   prompt              for each virtual token: row, norm, mean and std of its values, and neighbours (id, token, cosine)
///   files               sizes in bytes
///   warnings            what is odd about the folder
///
/// and with a model folder also: model, parameters (its own and the adapter's), trainable_percent, vocabulary_norm as `norm`,
/// and the `neighbours` nearest words of each row; see `nearest_tokens`. A prefix has no neighbours.
///
/// Of a native prefix: adapter, format, positions, placement, trainable, resumable, task, files, warnings; with a model also model,
/// parameters, trainable_percent; and for each of its `sites`: layers, num_virtual_tokens, heads, head_dim, and the norms of the keys and
/// values of single heads (key_norm, value_norm). Throws what reading the folders throws, FileError if the prompt does not fit the model,
/// and ConfigError for a negative number.
[[nodiscard]] nlohmann::ordered_json inspect_adapter(const std::filesystem::path& adapter,
                                                     const std::optional<std::filesystem::path>& model, std::int64_t neighbours);

}  // namespace preamble
