#include "peft/adapter_file.h"

#include "data/safetensors_writer.h"
#include "data/tensor_archive.h"
#include "engine/core/error.h"

namespace preamble {

PromptSlot read_prompt(const std::filesystem::path& folder, const PeftConfig& config, std::int64_t width) {
  const TensorArchive archive(folder, kAdapterFiles);
  require<FileError>(archive.contains(PromptTuning::kEmbeddings), "{}: tensor '{}' is missing", folder.string(), PromptTuning::kEmbeddings);
  const Tensor stored = archive.get(PromptTuning::kEmbeddings);
  require<FileError>(is_floating(stored.dtype()) && stored.dims().size() == 2 && stored.dims()[0] > 0 && stored.dims()[0] % config.submodules() == 0,
                     "{}: {} {}; wanted floating rows, a multiple of {} of them", archive.where(PromptTuning::kEmbeddings), name_of(stored.dtype()),
                     to_string(stored.dims()), config.submodules());
  const std::int64_t tokens = stored.dims()[0] / config.submodules();
  require<FileError>(config.num_virtual_tokens.value_or(tokens) == tokens, "{}: {} for {} submodules; adapter_config.json says {} virtual tokens",
                     archive.where(PromptTuning::kEmbeddings), to_string(stored.dims()), config.submodules(), config.num_virtual_tokens.value_or(0));
  require<FileError>(stored.dims()[1] == width && config.token_dim.value_or(width) == width,
                     "{}: {} and token_dim {}; the model's embeddings are {} wide", archive.where(PromptTuning::kEmbeddings), to_string(stored.dims()),
                     config.token_dim.value_or(stored.dims()[1]), width);
  const Tensor converted = stored.to(Dtype::f32);
  return {converted.writable() ? converted : converted.clone(), tokens};
}

std::unique_ptr<Method> open_adapters(const std::vector<std::filesystem::path>& folders, EncoderDecoder& model) {
  std::vector<PromptSlot> prompts;
  for (const auto& folder : folders) {
    const PeftConfig config = PeftConfig::read(folder);
    require<UnsupportedError>(config.peft_type != PeftType::prefix_tuning, "{}: PREFIX_TUNING was given; wanted PROMPT_TUNING or P_TUNING",
                              folder.string());
    prompts.push_back(read_prompt(folder, config, model.width()));
  }
  return std::make_unique<PromptTuning>(std::move(prompts));
}

void write_adapter(const std::filesystem::path& folder, const PeftConfig& config, std::span<const std::pair<std::string, Tensor>> tensors) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", folder.string(), error.message());
  write_safetensors(folder / "adapter_model.safetensors", tensors);
  config.write(folder);
}

}  // namespace preamble
