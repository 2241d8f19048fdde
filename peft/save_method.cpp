#include "peft/save_method.h"

#include <string>
#include <utility>
#include <vector>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "models/blank_model.h"
#include "models/causal_lm.h"
#include "peft/adapter_file.h"
#include "peft/head_file.h"
#include "peft/lora_file.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"

namespace preamble {
namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

constexpr const char* kEncoderFile = "reparametrisation.safetensors";

PeftConfig config_of(const MethodRecipe& recipe, PeftType type, const LanguageModel& model) {
  PeftConfig config;
  config.peft_type = type;
  // an encoder's is that of its head
  if (dynamic_cast<const CausalLm*>(&model) != nullptr || dynamic_cast<const BlankModel*>(&model) != nullptr) config.task_type = "CAUSAL_LM";
  if (!is_single_stack(model)) config.task_type = "SEQ_2_SEQ_LM";
  config.base_model_name_or_path = recipe.model.string();
  return config;
}

PeftConfig config_of(const MethodRecipe& recipe, PeftType type, std::int64_t tokens, const LanguageModel& model) {
  PeftConfig config = config_of(recipe, type, model);
  config.num_virtual_tokens = tokens;
  config.num_transformer_submodules = submodules_of(recipe, model);
  config.prefix_projection = recipe.method_options.prefix_projection;
  if (recipe.method_options.encoder_hidden_size > 0) config.encoder_hidden_size = recipe.method_options.encoder_hidden_size;
  config.encoder_reparameterization_type = recipe.method_options.encoder_reparameterization_type;
  config.encoder_num_layers = recipe.method_options.encoder_num_layers;
  config.encoder_dropout = recipe.method_options.encoder_dropout;
  return resolved(std::move(config), model);
}

void save_peft(const MethodRecipe& recipe, const std::filesystem::path& folder, PeftType type, const PromptSlot& rows,
               const LanguageModel& model, const SavedHead& head) {
  Named tensors = {{std::string(PromptTuning::kEmbeddings), rows.embeddings}};
  PeftConfig config = config_of(recipe, type, rows.tokens, model);
  if (head.head != nullptr) add_head(*head.encoder, *head.head, config, tensors);
  write_adapter(folder, config, tensors);
}

/// PEFT knows only prompts in front.
void save_prompt(const MethodRecipe& recipe, const std::filesystem::path& folder, PeftType type, const PromptSlot& rows,
                 const LanguageModel& model, const SavedHead& head) {
  if (recipe.method_options.infix()) {
    NativePrompt{rows}.write(folder);
  } else {
    save_peft(recipe, folder, type, rows, model, head);
  }
}

void save_prefix(const MethodRecipe& recipe, const std::filesystem::path& folder, const PrefixTuning& prefix, const LanguageModel& model,
                 const SavedHead& head) {
  const PrefixSlot& slot = prefix.slots().front();
  if (recipe.method_options.native()) {
    const PrefixPositions positions = prefix.positions();
    NativePrefix native{slot, positions.shifted, {}, positions.placement};
    if (head.head != nullptr) native.head = head.head->tensors(), native.pooler = head.head->pooler();
    native.write(folder);
  } else {
    const SitePrefixTable& table = slot.at(model.prefix_site());
    save_peft(recipe, folder, PeftType::prefix_tuning, {table.packed().rows, table.tokens()}, model, head);
  }
}

void save_lora(const MethodRecipe& recipe, const std::filesystem::path& folder, const LoraTuning& lora, const LanguageModel& model,
               const SavedHead& head) {
  PeftConfig config = config_of(recipe, PeftType::lora, model);
  config.lora = lora.config();
  Named tensors;
  const std::size_t own = lora.tensors().size() * 2;
  for (const auto& trainable : lora.trainables()) {
    if (tensors.size() < own) tensors.emplace_back(trainable.name, trainable.value);
  }
  if (head.head != nullptr) add_head(*head.encoder, *head.head, config, tensors);
  write_adapter(folder, config, tensors);
}

}  // namespace

void save_method(const MethodRecipe& recipe, const std::filesystem::path& folder, const Method& method, const LanguageModel& model,
                 const SavedHead& head) {
  if (const auto* lora = dynamic_cast<const LoraTuning*>(&method)) {
    const bool alone = dynamic_cast<const NoMethod*>(&lora->beside()) != nullptr;
    if (alone) return save_lora(recipe, folder, *lora, model, head);
    save_method(recipe, folder, lora->beside(), model, head);
    return save_lora(recipe, folder / kLoraFolder, *lora, model, {});
  }
  bool encoded = recipe.method == "ptuning";
  if (const auto* prefix = dynamic_cast<const PrefixTuning*>(&method)) {
    save_prefix(recipe, folder, *prefix, model, head);
    encoded = recipe.method_options.prefix_projection;
  } else if (const auto* p_tuning = dynamic_cast<const PTuning*>(&method)) {
    save_prompt(recipe, folder, PeftType::p_tuning, p_tuning->prompts().front().fold(), model, head);
  } else if (const auto* prompt = dynamic_cast<const PromptTuning*>(&method)) {
    save_prompt(recipe, folder, PeftType::prompt_tuning, prompt->prompts().front(), model, head);
  } else {
    require<ConfigError>(head.head != nullptr, "adapter: a method without tensors and without a head; there is nothing to save");
    NativePrefix{{}, false, head.head->tensors(), Placement::prefix, head.head->pooler()}.write(folder);
  }
  if (!encoded) return;
  Named tensors;
  for (const auto& tensor : method.trainables()) tensors.emplace_back(tensor.name, tensor.value);
  write_safetensors(folder / kEncoderFile, tensors);
}

}  // namespace preamble
