#include "peft/head_file.h"

#include <algorithm>

#include "data/json_file.h"
#include "data/safetensors.h"
#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "peft/adapter_names.h"
#include "peft/lora_file.h"
#include "peft/method.h"
#include "peft/native_prefix.h"

namespace preamble {
namespace {

using Folder = std::filesystem::path;

constexpr std::string_view kFeatures = "FEATURE_EXTRACTION";
constexpr const char* kToken = "token";

/// Of a file that preamble has written.
HeadTensors heads_of(const SafetensorsFile& file) {
  HeadTensors tensors;
  for (const auto& name : file.names()) {
    if (name.starts_with(kHeadPrefix)) tensors.emplace(name.substr(kHeadPrefix.size()), file.get(name));
  }
  return tensors;
}

/// Of a file that PEFT has written.
HeadTensors heads_of(const TensorArchive& file) {
  HeadTensors tensors;
  for (const auto& stored : file.names()) {
    if (auto name = head_tensor_name(stored)) tensors.emplace(std::move(*name), file.get(stored));
  }
  return tensors;
}

/// Tensors that the head has no map for: those of another task or class, or of the body.
void warn_of_unread(const Folder& folder, const EncoderModel& model, const Head& head, const HeadTensors& given) {
  std::vector<std::string> unread;
  const auto layers = head_layers(model, head.kind(), head.pooler());
  for (const auto& [name, tensor] : given) {
    const std::string_view layer = std::string_view(name).substr(0, name.rfind('.'));
    const auto has = [&](const HeadLayer& own) { return own.name == layer || own.checkpoint == layer; };
    if (std::ranges::none_of(layers, has)) unread.push_back(name);
  }
  if (unread.empty()) return;
  warn(fmt::format("{}: {} tensor(s) that the head of {} does not read, the first is '{}'", folder.string(), unread.size(), name_of(head.kind()),
                   unread.front()));
}

/// A key that PEFT does not know, if the file has it.
std::optional<std::string> ours(const PeftConfig& config, std::string_view key) {
  const auto found = config.extra.find(std::string(key));
  return found == config.extra.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> own_task(const PeftConfig& config) {
  const auto task = ours(config, kTaskKey);
  return task ? task : config.task_type;
}

constexpr std::string_view kLanguageModel = "CAUSAL_LM";
constexpr std::string_view kSequenceToSequence = "SEQ_2_SEQ_LM";

/// What a folder's head was trained with.
struct Reading {
  Pooling pooling = Pooling::first_token;
  bool token_types = true;

  bool operator==(const Reading&) const = default;
};

/// GLM's names of rows.
Pooling pooling_named(const std::string& name, const std::string& where) {
  if (name == "cls") return Pooling::first_token;
  if (name == "start") return Pooling::piece_start;
  require<FileError>(name == "pad", "{}: pool_token is '{}'; wanted cls, start or pad", where, name);
  return Pooling::context_end;
}

Reading reading_of(const Folder& folder, const EncoderModel& model) {
  if (NativePrefix::is_in(folder)) {
    const JsonFile json = JsonFile::open(folder / NativePrefix::kDescription);
    const auto pool_token = json.find<std::string>("pool_token");
    return {pool_token ? pooling_named(*pool_token, json.where()) : model.pooling()};
  }
  // PEFT does not know such models: no convention of its own is to be followed
  if (model.blanks() != nullptr) return {model.pooling()};
  const PeftConfig config = PeftConfig::read(folder);
  // PEFT's own convention: no row of a prompt is read
  if (model.pooling() == Pooling::last_token) return {Pooling::last_token};
  const auto given = ours(config, kPoolingKey);
  require<FileError>(!given || *given == kToken, "{}: {} is '{}'; wanted {}", folder.string(), kPoolingKey, given.value_or(""), kToken);
  if (given) return {};
  const bool prefix = config.peft_type == PeftType::prefix_tuning;
  // PEFT computes with its own model then, rows and token types as they are
  if (config.peft_type == PeftType::lora) return {Pooling::first_token};
  return {prefix ? Pooling::first_token : Pooling::first_row, own_task(config) != name_of(HeadKind::span)};
}

Pooler pooler_in(const Folder& folder) {
  const auto given = NativePrefix::is_in(folder) ? JsonFile::open(folder / NativePrefix::kDescription).find<std::string>("pooler")
                                                 : ours(PeftConfig::read(folder), kPoolerKey);
  return given ? pooler_of(*given) : Pooler::automatic;
}

/// The task of a language model is that of the masked-LM head of a model that fills blanks.
std::string task_of(const EncoderModel& model, const std::vector<Folder>& folders, const std::string& given) {
  std::string task = given;
  for (const auto& folder : folders) {
    if (NativePrefix::is_in(folder)) continue;
    const auto own = own_task(PeftConfig::read(folder));
    if (!own || (model.blanks() != nullptr && own == kLanguageModel)) continue;
    require<ConfigError>(task.empty() || task == *own, "{}: the task is {}; wanted {}", folder.string(), *own, task);
    task = *own;
  }
  if (task.empty() && model.blanks() != nullptr) return std::string(name_of(HeadKind::masked_lm));
  require<ConfigError>(!task.empty(),
                       "encoder: no task was given, and no adapter says one; wanted SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, "
                       "QUESTION_ANS, MASKED_LM or {}",
                       kFeatures);
  return task;
}

/// `Pooler::none` for a classifier without the other maps of a head whose names differ from it, else what was given.
Pooler pooler_of_tensors(const EncoderModel& model, HeadKind kind, const HeadTensors& tensors, Pooler given) {
  if (kind != HeadKind::sequence || given != Pooler::automatic || !tensors.contains("classifier.weight")) return given;
  const auto layers = model.sequence_head();
  const bool known = std::ranges::any_of(layers, [](const HeadLayer& layer) { return layer.name == "classifier"; });
  return known || tensors.contains(layers.back().name + ".weight") || layers.back().name.starts_with("classifier.") ? given : Pooler::none;
}

/// PEFT's task whose model computes what this head does, or the most of it: see `kTaskKey`.
std::string_view peft_task(const EncoderModel& model, const Head& head) {
  if (!reads_first_row(head.kind())) return name_of(head.kind());
  const auto names = [](const std::vector<HeadLayer>& layers) {
    std::vector<std::string> result;
    for (const auto& layer : layers) result.push_back(layer.name);
    return result;
  };
  const auto own = names(head_layers(model, head.kind(), head.pooler()));
  if (own == names(model.sequence_head())) return name_of(HeadKind::sequence);
  return own.size() == 1 ? name_of(HeadKind::tokens) : kFeatures;
}

/// The module of a tensor by which PEFT finds it: `pooler` of bert.pooler.dense.weight, `classifier` of classifier.out_proj.bias.
std::string module_of(const std::string& tensor) {
  const std::string layer = tensor.substr(0, tensor.rfind('.'));
  const std::string module = layer.substr(0, layer.rfind('.'));
  return module.substr(module.rfind('.') + 1);
}

/// A LORA adapter names heads as PEFT names modules of its model.
HeadTensors heads_beside_lora(const TensorArchive& file) {
  HeadTensors tensors;
  for (const auto& name : file.names()) {
    if (name.starts_with(kLoraPrefix) && name.find(".lora_") == std::string::npos) tensors.emplace(name.substr(kLoraPrefix.size()), file.get(name));
  }
  return tensors;
}

}  // namespace

HeadTensors read_head(const Folder& folder) {
  if (is_lora(folder)) return heads_beside_lora(TensorArchive(folder, kAdapterFiles));
  return NativePrefix::is_in(folder) ? heads_of(SafetensorsFile::open(folder / NativePrefix::kTensors)) : heads_of(TensorArchive(folder, kAdapterFiles));
}

bool names_head(const std::vector<Folder>& folders, const std::string& task) {
  if (!task.empty()) return true;
  return std::ranges::any_of(folders, [](const Folder& folder) {
    if (NativePrefix::is_in(folder)) return false;
    const auto own = own_task(PeftConfig::read(folder));
    return own && own != kLanguageModel && own != kSequenceToSequence;
  });
}

HeadedEncoder open_heads(EncoderModel& model, const std::vector<Folder>& folders, const std::string& given,
                         const std::optional<Folder>& trainable, Pooler pooler) {
  HeadedEncoder encoder{model, {}};
  Reading reading{model.pooling()};
  const std::string task = task_of(model, folders, given);
  for (const auto& folder : folders) {
    const Reading given_here = reading_of(folder, model);
    require<ConfigError>(folder == folders.front() || given_here == reading, "{} and {}: heads that read different rows; wanted one kind",
                         folders.front().string(), folder.string());
    reading = given_here;
  }
  encoder.pooling = reading.pooling;
  encoder.token_types = reading.token_types;
  if (task == kFeatures) return encoder;
  const HeadKind kind = head_kind_of(task);
  std::vector<HeadTensors> tensors;
  const bool of_model = kind == HeadKind::masked_lm || (kind == HeadKind::choice && model.blanks() != nullptr && pooler == Pooler::automatic);
  for (const auto& folder : folders) tensors.push_back(of_model ? HeadTensors{} : read_head(folder));
  if (trainable && tensors.size() == 1) {
    for (auto& [name, tensor] : heads_of(SafetensorsFile::open(*trainable))) {
      if (tensors.front().contains(name)) tensors.front()[name] = tensor;
    }
  }
  if (std::ranges::all_of(tensors, &HeadTensors::empty)) tensors.assign(1, {});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Pooler own = tensors[i].empty() ? pooler : pooler_of_tensors(model, kind, tensors[i], pooler_in(folders[i]));
    encoder.heads.emplace_back(model, kind, tensors[i], slot_name(i, tensors.size(), kHeadPrefix), true, own);
    if (!tensors[i].empty()) warn_of_unread(folders[i], model, encoder.heads.back(), tensors[i]);
  }
  return encoder;
}

void add_head(const HeadedEncoder& encoder, const Head& head, PeftConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) {
  require<UnsupportedError>(!head.is_language_model(), "adapter: PEFT has no task for the masked-LM head; wanted another head");
  config.task_type = peft_task(encoder.model, head);
  if (config.task_type != name_of(head.kind())) config.extra[std::string(kTaskKey)] = name_of(head.kind());
  if (head.pooler() != Pooler::automatic) config.extra[std::string(kPoolerKey)] = name_of(head.pooler());
  // PEFT's own targets, whether the model has such modules or not
  config.modules_to_save = head.kind() == HeadKind::span ? std::vector<std::string>{"qa_outputs"} : std::vector<std::string>{"classifier", "score"};
  if (config.task_type == kFeatures) config.modules_to_save.clear();
  for (const auto& [name, tensor] : head.tensors()) {
    tensors.emplace_back(std::string(config.peft_type == PeftType::lora ? kLoraPrefix : kHeadPrefix) + name, tensor);
    const std::string module = module_of(name);
    const bool known = std::ranges::find(config.modules_to_save, module) != config.modules_to_save.end();
    if (!known && config.task_type != kFeatures) config.modules_to_save.push_back(module);
  }
  const bool pools = reads_first_row(head.kind()) && config.peft_type != PeftType::prefix_tuning && config.peft_type != PeftType::lora &&
                     encoder.pooling == Pooling::first_token;
  if (pools || (head.kind() == HeadKind::span && encoder.token_types)) config.extra[std::string(kPoolingKey)] = kToken;
}

}  // namespace preamble
