#include "peft/adapter_file.h"

#include <algorithm>
#include <cmath>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "models/encoder_decoder.h"
#include "peft/adapter_names.h"
#include "peft/leftover_tensors.h"

namespace preamble {
namespace {

/// Rows of virtual tokens among `rows` stored ones.
std::int64_t virtual_tokens(const std::string& where, std::int64_t rows, const PeftConfig& config) {
  std::int64_t submodules = config.submodules();
  if (!config.num_transformer_submodules && config.num_virtual_tokens == rows) submodules = 1;
  require<FileError>(rows % submodules == 0, "{}: {} rows for {} submodules; wanted a multiple", where, rows, submodules);
  const std::int64_t tokens = rows / submodules;
  require<FileError>(config.num_virtual_tokens.value_or(tokens) == tokens,
                     "{}: {} rows; adapter_config.json wants {} ({} virtual tokens, {} submodules)", where, rows,
                     config.num_virtual_tokens.value_or(0) * submodules, config.num_virtual_tokens.value_or(0), submodules);
  return tokens;
}

/// A prefix row holds a key and a value of each layer.
void check_prefix_width(const std::string& where, std::int64_t width, const PeftConfig& config) {
  if (!config.token_dim || !config.num_layers) return;
  const std::int64_t wanted = *config.num_layers * 2 * *config.token_dim;
  require<FileError>(width == wanted, "{}: rows {} wide; wanted {} ({} layers, 2, token_dim {})", where, width, wanted, *config.num_layers,
                     *config.token_dim);
}

}  // namespace

Tensor owned_floats(const Tensor& stored, const std::string& where, const Warn& warn) {
  const Tensor converted = stored.to(Dtype::f32);
  Tensor tensor = converted.writable() ? converted : converted.clone();
  const auto values = std::as_const(tensor).values<float>();
  const auto bad = std::ranges::count_if(values, [](float x) { return !std::isfinite(x); });
  if (warn && bad > 0) warn(fmt::format("{}: {} of {} values are not finite", where, bad, values.size()));
  return tensor;
}

PromptSlot read_embeddings(const std::filesystem::path& folder, const PeftConfig& config, const Warn& warn) {
  const TensorArchive archive(folder, kAdapterFiles);
  const auto table = std::ranges::find_if(archive.names(), is_prompt_table);
  require<FileError>(table != archive.names().end(), "{}: tensor '{}' is missing; wanted a prompt", folder.string(), PromptTuning::kEmbeddings);
  const Tensor stored = archive.get(*table);
  const std::string where = archive.where(*table);
  require<FileError>(is_floating(stored.dtype()) && stored.dims().size() == 2 && stored.dim(0) > 0 && stored.dim(1) > 0,
                     "{}: {} {}; wanted a floating matrix of at least one row", where, name_of(stored.dtype()), to_string(stored.dims()));
  const std::int64_t tokens = virtual_tokens(where, stored.dim(0), config);
  if (config.peft_type == PeftType::prefix_tuning) check_prefix_width(where, stored.dim(1), config);
  warn_of_leftovers(archive, config, is_prompt_table, warn);
  return {owned_floats(stored, where, warn), tokens};
}

PromptSlot read_prompt(const std::filesystem::path& folder, const PeftConfig& config, std::int64_t width, const Warn& warn) {
  require<UnsupportedError>(config.peft_type != PeftType::prefix_tuning, "{}: PREFIX_TUNING was given; wanted PROMPT_TUNING or P_TUNING",
                            folder.string());
  PromptSlot prompt = read_embeddings(folder, config, warn);
  const std::int64_t given = prompt.embeddings.dim(1);
  require<FileError>(config.token_dim.value_or(given) == given, "{}: rows {} wide; adapter_config.json says token_dim {}", folder.string(),
                     given, config.token_dim.value_or(0));
  require<FileError>(given == width, "{}: a prompt {} wide; the model's embeddings are {} wide{}", folder.string(), given, width,
                     config.base_model_name_or_path ? fmt::format(" (the prompt belongs to '{}')", *config.base_model_name_or_path) : "");
  return prompt;
}

PeftConfig resolved(PeftConfig config, const LanguageModel& model) {
  // PEFT counts the layers of the encoder; its own prefixes condition the decoder, if there is one
  const bool prefix = config.peft_type == PeftType::prefix_tuning;
  const bool one_stack = dynamic_cast<const EncoderDecoder*>(&model) == nullptr;
  const AttentionShape shape = model.attention_shape(prefix || one_stack ? model.prefix_site() : Site::encoder_self);
  if (!config.num_layers) config.num_layers = shape.layers;
  if (!config.num_attention_heads) config.num_attention_heads = prefix ? shape.kv_heads : shape.heads;
  if (!config.token_dim) config.token_dim = prefix ? shape.kv_width() : model.embedding_width();
  if (!config.num_transformer_submodules) config.num_transformer_submodules = config.task_type == "SEQ_2_SEQ_LM" ? 2 : 1;
  if (!config.encoder_hidden_size && config.peft_type != PeftType::prompt_tuning) config.encoder_hidden_size = config.token_dim;
  return config;
}

void write_adapter(const std::filesystem::path& folder, const PeftConfig& config, std::span<const std::pair<std::string, Tensor>> tensors) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", folder.string(), error.message());
  std::vector<std::pair<std::string, Tensor>> floats;
  for (const auto& [name, tensor] : tensors) floats.emplace_back(name, tensor.to(Dtype::f32));
  write_safetensors(folder / "adapter_model.safetensors", floats);
  config.write(folder);
}

}  // namespace preamble
