#include "peft/peft_config.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<PeftType, std::string_view>, 3> kTypes = {
    {{PeftType::prompt_tuning, "PROMPT_TUNING"}, {PeftType::prefix_tuning, "PREFIX_TUNING"}, {PeftType::p_tuning, "P_TUNING"}}};

constexpr std::array<std::string_view, 6> kTasks = {"SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"};

PeftType type_of(const JsonFile& json) {
  const auto name = json.get<std::string>("peft_type");
  const auto found = std::ranges::find(kTypes, name, &std::pair<PeftType, std::string_view>::second);
  require<UnsupportedError>(found != kTypes.end(), "{}: peft_type is '{}'; wanted PROMPT_TUNING, PREFIX_TUNING or P_TUNING", json.where(), name);
  return found->first;
}

void check_positive(const JsonFile& json, std::string_view key, const std::optional<std::int64_t>& value) {
  constexpr std::int64_t kLargest = 1 << 24;
  require<FileError>(!value || (*value > 0 && *value <= kLargest), "{}: field '{}' is {}; wanted a number from 1 to {}", json.where(), key,
                     value.value_or(0), kLargest);
}

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

}  // namespace

std::string_view name_of(PeftType type) noexcept { return kTypes[static_cast<std::size_t>(type)].second; }

std::int64_t PeftConfig::submodules() const noexcept { return num_transformer_submodules.value_or(task_type == "SEQ_2_SEQ_LM" ? 2 : 1); }

PeftConfig PeftConfig::read(const std::filesystem::path& folder) {
  const JsonFile json = JsonFile::open(folder / "adapter_config.json");
  PeftConfig c;
  c.peft_type = type_of(json);
  c.task_type = json.find<std::string>("task_type");
  require<FileError>(!c.task_type || std::ranges::find(kTasks, *c.task_type) != kTasks.end(), "{}: task_type is '{}'; wanted one of {}",
                     json.where(), c.task_type.value_or(""), fmt::join(kTasks, ", "));
  c.base_model_name_or_path = json.find<std::string>("base_model_name_or_path");
  c.num_virtual_tokens = json.find<std::int64_t>("num_virtual_tokens");
  c.token_dim = json.find<std::int64_t>("token_dim");
  c.num_transformer_submodules = json.find<std::int64_t>("num_transformer_submodules");
  c.num_attention_heads = json.find<std::int64_t>("num_attention_heads");
  c.num_layers = json.find<std::int64_t>("num_layers");
  for (const auto& [key, value] : {std::pair{"num_virtual_tokens", c.num_virtual_tokens}, {"token_dim", c.token_dim},
                                   {"num_transformer_submodules", c.num_transformer_submodules}, {"num_layers", c.num_layers},
                                   {"num_attention_heads", c.num_attention_heads}}) {
    check_positive(json, key, value);
  }
  const auto modules = json.get<std::vector<std::string>>("modules_to_save", {});
  const std::set<std::string> unique(modules.begin(), modules.end());
  c.modules_to_save.assign(unique.begin(), unique.end());
  c.prompt_tuning_init = json.get<std::string>("prompt_tuning_init", "RANDOM");
  c.prompt_tuning_init_text = json.find<std::string>("prompt_tuning_init_text");
  c.tokenizer_name_or_path = json.find<std::string>("tokenizer_name_or_path");
  c.prefix_projection = json.get<bool>("prefix_projection", false);
  c.encoder_hidden_size = json.find<std::int64_t>("encoder_hidden_size");
  c.encoder_reparameterization_type = json.get<std::string>("encoder_reparameterization_type", "MLP");
  c.encoder_num_layers = json.get<std::int64_t>("encoder_num_layers", 2);
  c.encoder_dropout = json.get<double>("encoder_dropout", 0.0);
  for (const auto& [key, value] : json.value().items()) {
    if (key.starts_with("preamble_") && value.is_string()) c.extra[key] = value.get<std::string>();
  }
  return c;
}

void PeftConfig::write(const std::filesystem::path& folder) const {
  nlohmann::json json = {{"auto_mapping", nullptr},
                         {"base_model_name_or_path", or_null(base_model_name_or_path)},
                         {"inference_mode", true},
                         {"modules_to_save", modules_to_save.empty() ? nlohmann::json() : nlohmann::json(modules_to_save)},
                         {"num_attention_heads", or_null(num_attention_heads)},
                         {"num_layers", or_null(num_layers)},
                         {"num_transformer_submodules", or_null(num_transformer_submodules)},
                         {"num_virtual_tokens", or_null(num_virtual_tokens)},
                         {"peft_type", name_of(peft_type)},
                         {"revision", nullptr},
                         {"task_type", or_null(task_type)},
                         {"token_dim", or_null(token_dim)}};
  if (peft_type == PeftType::prompt_tuning) {
    json["prompt_tuning_init"] = prompt_tuning_init;
    json["prompt_tuning_init_text"] = or_null(prompt_tuning_init_text);
    json["tokenizer_name_or_path"] = or_null(tokenizer_name_or_path);
  } else {
    json["encoder_hidden_size"] = or_null(encoder_hidden_size);
  }
  if (peft_type == PeftType::prefix_tuning) json["prefix_projection"] = prefix_projection;
  if (peft_type == PeftType::p_tuning) {
    json["encoder_reparameterization_type"] = encoder_reparameterization_type;
    json["encoder_num_layers"] = encoder_num_layers;
    json["encoder_dropout"] = encoder_dropout;
  }
  for (const auto& [key, value] : extra) json[key] = value;
  write_atomically(folder / "adapter_config.json", json.dump(2, ' ', true));
}

}  // namespace preamble
