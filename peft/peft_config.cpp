#include "peft/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<PeftType, std::string_view>, 4> kTypes = {
    {{PeftType::prompt_tuning, "PROMPT_TUNING"}, {PeftType::prefix_tuning, "PREFIX_TUNING"}, {PeftType::p_tuning, "P_TUNING"},
     {PeftType::lora, "LORA"}}};

constexpr std::array<std::string_view, 6> kTasks = {"SEQ_CLS",   "SEQ_2_SEQ_LM", "CAUSAL_LM",
                                                    "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"};

constexpr std::array<std::string_view, 3> kInits = {"RANDOM", "TEXT", "SAMPLE_VOCAB"};

/// Fields that PEFT knows and that do not change what a stored prompt computes.
constexpr std::array<std::string_view, 7> kIrrelevant = {"auto_mapping", "inference_mode", "init_weights",    "peft_version",
                                                         "revision",     "runtime_config", "tokenizer_kwargs"};

constexpr std::array<std::string_view, 7> kReadOfLora = {"bias", "fan_in_fan_out", "lora_alpha", "lora_dropout", "r", "target_modules", "use_rslora"};
/// Fields with which a LORA computes something else than its factors say.
constexpr std::array<std::string_view, 12> kRefusedOfLora = {
    "alora_invocation_tokens", "alpha_pattern", "arrow_config", "kasa_config",       "layer_replication",       "lora_bias",
    "rank_pattern",            "target_parameters", "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora"};
/// Those that say on which maps it was put, how it began or was trained, or what holds with one of the others alone.
constexpr std::array<std::string_view, 13> kIrrelevantToLora = {
    "corda_config",        "ensure_weight_tying", "eva_config",     "exclude_modules", "init_lora_weights", "layers_pattern",
    "layers_to_transform", "loftq_config",        "lora_ga_config", "megatron_config", "megatron_core",     "qalora_group_size",
    "velora_config"};
/// Ways to begin that put a part of the model's weights into the factors: PEFT takes that part out of the model again when it loads them.
constexpr std::array<std::string_view, 5> kChangingInits = {"corda", "loftq", "lora_ga", "olora", "pissa"};

PeftType type_of(const JsonFile& json) {
  const auto name = json.get<std::string>("peft_type");
  const auto found = std::ranges::find(kTypes, name, &std::pair<PeftType, std::string_view>::second);
  require<UnsupportedError>(found != kTypes.end(), "{}: peft_type is '{}'; wanted PROMPT_TUNING, PREFIX_TUNING, P_TUNING or LORA", json.where(),
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

  void know(std::span<const std::string_view> keys) { known_.insert(keys.begin(), keys.end()); }
  [[nodiscard]] bool known(std::string_view key) const {
    return known_.contains(key) || std::ranges::find(kIrrelevant, key) != kIrrelevant.end();
  }

 private:
  const JsonFile& json_;
  std::set<std::string_view> known_ = {"peft_type"};
};

/// Whether a field is there and says something: not null, false, empty or `none`.
bool says(const JsonFile& json, std::string_view key) {
  const auto found = json.value().find(std::string(key));
  if (found == json.value().end() || found->is_null() || *found == false || *found == "none") return false;
  return !((found->is_structured() || found->is_string()) && found->empty()) && *found != 0;
}

void read_lora(const JsonFile& json, LoraConfig& lora) {
  for (const std::string_view key : kRefusedOfLora) {
    require<UnsupportedError>(!says(json, key), "{}: field '{}' is {}; wanted a plain LORA without it", json.where(), key,
                              says(json, key) ? json.value().at(std::string(key)).dump() : "");
  }
  const auto start = json.value().find("init_lora_weights");
  const std::string init = start != json.value().end() && start->is_string() ? start->get<std::string>() : "";
  require<UnsupportedError>(std::ranges::none_of(kChangingInits, [&](std::string_view name) { return init.starts_with(name); }),
                            "{}: field 'init_lora_weights' is '{}': a part of the model's weights is in the factors; wanted an adapter that was "
                            "converted to a plain LORA when it was saved",
                            json.where(), init);
  const auto bias = json.get<std::string>("bias", "none");
  require<UnsupportedError>(bias == "none", "{}: field 'bias' is '{}'; wanted none", json.where(), bias);
  lora.r = json.get<std::int64_t>("r", lora.r);
  lora.alpha = json.get<double>("lora_alpha", lora.alpha);
  lora.dropout = json.get<double>("lora_dropout", lora.dropout);
  lora.use_rslora = json.get<bool>("use_rslora", false);
  lora.fan_in_fan_out = json.get<bool>("fan_in_fan_out", false);
  constexpr std::int64_t kHighest = 1 << 16;
  require<FileError>(lora.r > 0 && lora.r <= kHighest, "{}: field 'r' is {}; wanted a number from 1 to {}", json.where(), lora.r, kHighest);
  require<FileError>(lora.dropout >= 0 && lora.dropout < 1, "{}: field 'lora_dropout' is {}; wanted a number from 0 to below 1", json.where(),
                     lora.dropout);
  if (!json.has("target_modules")) return;
  lora.target_is_pattern = json.value().at("target_modules").is_string();
  lora.target_modules = lora.target_is_pattern ? std::vector{json.get<std::string>("target_modules")}
                                               : json.get<std::vector<std::string>>("target_modules");
}

nlohmann::json targets_of(const LoraConfig& lora) {
  return lora.target_is_pattern ? nlohmann::json(lora.target_modules.front()) : nlohmann::json(lora.target_modules);
}

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

double LoraConfig::scale() const noexcept {
  return alpha / (use_rslora ? std::sqrt(static_cast<double>(r)) : static_cast<double>(r));
}

std::int64_t PeftConfig::submodules() const noexcept {
  if (peft_type == PeftType::prefix_tuning || peft_type == PeftType::lora) return 1;
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
  if (c.peft_type == PeftType::lora) {
    read_lora(json, c.lora);
    field.know(kReadOfLora);
    field.know(kRefusedOfLora);
    field.know(kIrrelevantToLora);
  } else if (c.peft_type == PeftType::prompt_tuning) {
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
    } else if (warn && !field.known(key) && says(json, key)) {
      warn(fmt::format("{}: key '{}' is none of {}; it is ignored", json.where(), key, name_of(c.peft_type)));
    }
  }
  if (warn && !c.task_type && c.peft_type != PeftType::lora) warn(fmt::format("{}: task_type is absent; PEFT would load the prompt and not use it", json.where()));
  return c;
}

namespace {

nlohmann::json json_of_lora(const PeftConfig& c) {
  nlohmann::json json = {{"auto_mapping", nullptr},
                         {"base_model_name_or_path", or_null(c.base_model_name_or_path)},
                         {"bias", "none"},
                         {"fan_in_fan_out", c.lora.fan_in_fan_out},
                         {"inference_mode", true},
                         {"init_lora_weights", true},
                         {"layers_pattern", nullptr},
                         {"layers_to_transform", nullptr},
                         {"lora_alpha", c.lora.alpha},
                         {"lora_dropout", c.lora.dropout},
                         {"modules_to_save", nullptr},
                         {"peft_type", name_of(c.peft_type)},
                         {"r", c.lora.r},
                         {"revision", nullptr},
                         {"target_modules", targets_of(c.lora)},
                         {"task_type", or_null(c.task_type)},
                         {"use_rslora", c.lora.use_rslora}};
  if (!c.modules_to_save.empty()) json["modules_to_save"] = c.modules_to_save;
  return json;
}

nlohmann::json json_of_prompt(const PeftConfig& c) {
  nlohmann::json json = {{"auto_mapping", nullptr},
                         {"base_model_name_or_path", or_null(c.base_model_name_or_path)},
                         {"inference_mode", true},
                         {"num_attention_heads", or_null(c.num_attention_heads)},
                         {"num_layers", or_null(c.num_layers)},
                         {"num_transformer_submodules", or_null(c.num_transformer_submodules)},
                         {"num_virtual_tokens", or_null(c.num_virtual_tokens)},
                         {"peft_type", name_of(c.peft_type)},
                         {"revision", nullptr},
                         {"task_type", or_null(c.task_type)},
                         {"token_dim", or_null(c.token_dim)}};
  if (!c.modules_to_save.empty()) json["modules_to_save"] = c.modules_to_save;
  if (c.peft_type == PeftType::prompt_tuning) {
    const bool text = c.prompt_tuning_init == "TEXT" && c.prompt_tuning_init_text && !c.tokenizer_name_or_path.value_or("").empty();
    json["prompt_tuning_init"] = text ? "TEXT" : "RANDOM";
    json["prompt_tuning_init_text"] = text ? or_null(c.prompt_tuning_init_text) : nlohmann::json();
    json["tokenizer_name_or_path"] = text ? or_null(c.tokenizer_name_or_path) : nlohmann::json();
  } else {
    json["encoder_hidden_size"] = or_null(c.encoder_hidden_size);
  }
  if (c.peft_type == PeftType::prefix_tuning) json["prefix_projection"] = c.prefix_projection;
  if (c.peft_type == PeftType::p_tuning) {
    json["encoder_reparameterization_type"] = c.encoder_reparameterization_type;
    json["encoder_num_layers"] = c.encoder_num_layers;
    json["encoder_dropout"] = c.encoder_dropout;
  }
  return json;
}

}  // namespace

void PeftConfig::write(const std::filesystem::path& folder) const {
  nlohmann::json json = peft_type == PeftType::lora ? json_of_lora(*this) : json_of_prompt(*this);
  for (const auto& [key, value] : extra) json[key] = value;
  // a path may hold bytes that are no UTF-8: replaced, not a failure at the end of a training
  write_atomically(folder / "adapter_config.json", json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
}

}  // namespace preamble
