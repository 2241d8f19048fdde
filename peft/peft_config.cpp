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

constexpr std::array<std::string_view, 6> kTasks = {"SEQ_CLS",   "SEQ_2_SEQ_LM", "CAUSAL_LM",
                                                    "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"};

constexpr std::array<std::string_view, 3> kInits = {"RANDOM", "TEXT", "SAMPLE_VOCAB"};

/// Fields that PEFT knows and that do not change what a stored prompt computes.
constexpr std::array<std::string_view, 7> kIrrelevant = {"auto_mapping", "inference_mode", "init_weights",    "peft_version",
                                                         "revision",     "runtime_config", "tokenizer_kwargs"};

PeftType type_of(const JsonFile& json) {
  const auto name = json.get<std::string>("peft_type");
  const auto found = std::ranges::find(kTypes, name, &std::pair<PeftType, std::string_view>::second);
  require<UnsupportedError>(found != kTypes.end(), "{}: peft_type is '{}'; wanted PROMPT_TUNING, PREFIX_TUNING or P_TUNING", json.where(),
                            name);
  return found->first;
}

/// Reads fields and remembers which there are.
class Fields {
 public:
  explicit Fields(const JsonFile& json) : json_(json) {}

  template <class T>
  void operator()(std::string_view key, std::optional<T>& value) {
    known_.insert(key);
    value = json_.find<T>(key);
  }
  template <class T>
  void operator()(std::string_view key, T& value) {
    known_.insert(key);
    value = json_.get<T>(key, std::move(value));
  }
  /// A size: at least 1, and small enough that products of sizes stay far from overflow.
  void size(std::string_view key, std::optional<std::int64_t>& value) {
    constexpr std::int64_t kLargest = 1 << 24;
    (*this)(key, value);
    require<FileError>(!value || (*value > 0 && *value <= kLargest), "{}: field '{}' is {}; wanted a number from 1 to {}", json_.where(),
                       key, value.value_or(0), kLargest);
  }

  [[nodiscard]] bool known(std::string_view key) const {
    return known_.contains(key) || std::ranges::find(kIrrelevant, key) != kIrrelevant.end();
  }

 private:
  const JsonFile& json_;
  std::set<std::string_view> known_ = {"peft_type"};
};

void read_text_init(const JsonFile& json, const PeftConfig& c, const Warn& warn) {
  require<FileError>(std::ranges::find(kInits, c.prompt_tuning_init) != kInits.end(), "{}: prompt_tuning_init is '{}'; wanted one of {}",
                     json.where(), c.prompt_tuning_init, fmt::join(kInits, ", "));
  const bool complete = c.prompt_tuning_init_text && !c.tokenizer_name_or_path.value_or("").empty();
  if (warn && c.prompt_tuning_init == "TEXT" && !complete) {
    warn(fmt::format("{}: prompt_tuning_init is TEXT without the text or the tokenizer; PEFT refuses the file", json.where()));
  }
}

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

}  // namespace

std::string_view name_of(PeftType type) noexcept { return kTypes[static_cast<std::size_t>(type)].second; }

std::int64_t PeftConfig::submodules() const noexcept {
  if (peft_type == PeftType::prefix_tuning) return 1;
  return num_transformer_submodules.value_or(task_type == "SEQ_2_SEQ_LM" ? 2 : 1);
}

PeftConfig PeftConfig::read(const std::filesystem::path& folder, const Warn& warn) {
  const JsonFile json = JsonFile::open(folder / "adapter_config.json");
  PeftConfig c;
  c.peft_type = type_of(json);
  Fields field(json);
  field("task_type", c.task_type);
  require<FileError>(!c.task_type || std::ranges::find(kTasks, *c.task_type) != kTasks.end(), "{}: task_type is '{}'; wanted one of {}",
                     json.where(), c.task_type.value_or(""), fmt::join(kTasks, ", "));
  field("base_model_name_or_path", c.base_model_name_or_path);
  field.size("num_virtual_tokens", c.num_virtual_tokens);
  field.size("token_dim", c.token_dim);
  field.size("num_transformer_submodules", c.num_transformer_submodules);
  field.size("num_attention_heads", c.num_attention_heads);
  field.size("num_layers", c.num_layers);
  std::vector<std::string> modules;
  field("modules_to_save", modules);
  const std::set<std::string> unique(modules.begin(), modules.end());
  c.modules_to_save.assign(unique.begin(), unique.end());
  if (c.peft_type == PeftType::prompt_tuning) {
    field("prompt_tuning_init", c.prompt_tuning_init);
    field("prompt_tuning_init_text", c.prompt_tuning_init_text);
    field("tokenizer_name_or_path", c.tokenizer_name_or_path);
    read_text_init(json, c, warn);
  } else {
    field.size("encoder_hidden_size", c.encoder_hidden_size);
  }
  if (c.peft_type == PeftType::prefix_tuning) field("prefix_projection", c.prefix_projection);
  if (c.peft_type == PeftType::p_tuning) {
    field("encoder_reparameterization_type", c.encoder_reparameterization_type);
    field("encoder_num_layers", c.encoder_num_layers);
    field("encoder_dropout", c.encoder_dropout);
  }
  for (const auto& [key, value] : json.value().items()) {
    if (key.starts_with("preamble_") && value.is_string()) {
      c.extra[key] = value.get<std::string>();
    } else if (warn && !field.known(key) && !value.is_null()) {
      warn(fmt::format("{}: key '{}' is none of {}; it is ignored", json.where(), key, name_of(c.peft_type)));
    }
  }
  if (warn && !c.task_type) warn(fmt::format("{}: task_type is absent; PEFT would load the prompt and not use it", json.where()));
  return c;
}

void PeftConfig::write(const std::filesystem::path& folder) const {
  nlohmann::json json = {{"auto_mapping", nullptr},
                         {"base_model_name_or_path", or_null(base_model_name_or_path)},
                         {"inference_mode", true},
                         {"num_attention_heads", or_null(num_attention_heads)},
                         {"num_layers", or_null(num_layers)},
                         {"num_transformer_submodules", or_null(num_transformer_submodules)},
                         {"num_virtual_tokens", or_null(num_virtual_tokens)},
                         {"peft_type", name_of(peft_type)},
                         {"revision", nullptr},
                         {"task_type", or_null(task_type)},
                         {"token_dim", or_null(token_dim)}};
  if (!modules_to_save.empty()) json["modules_to_save"] = modules_to_save;
  if (peft_type == PeftType::prompt_tuning) {
    const bool text = prompt_tuning_init == "TEXT" && prompt_tuning_init_text && !tokenizer_name_or_path.value_or("").empty();
    json["prompt_tuning_init"] = text ? "TEXT" : "RANDOM";
    json["prompt_tuning_init_text"] = text ? or_null(prompt_tuning_init_text) : nlohmann::json();
    json["tokenizer_name_or_path"] = text ? or_null(tokenizer_name_or_path) : nlohmann::json();
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
  // a path may hold bytes that are no UTF-8: replaced, not a failure at the end of a training
  write_atomically(folder / "adapter_config.json", json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
}

}  // namespace preamble
