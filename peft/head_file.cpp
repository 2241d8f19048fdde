#include "peft/head_file.h"

#include <algorithm>

#include "data/json_file.h"
#include "data/safetensors.h"
#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "peft/method.h"
#include "peft/native_prefix.h"

namespace preamble {
namespace {

using Folder = std::filesystem::path;

constexpr std::string_view kFeatures = "FEATURE_EXTRACTION";
constexpr const char* kToken = "token";

template <class File>
HeadTensors heads_of(const File& file) {
  HeadTensors tensors;
  for (const auto& name : file.names()) {
    if (name.starts_with(kHeadPrefix)) tensors.emplace(name.substr(kHeadPrefix.size()), file.get(name));
  }
  return tensors;
}

/// A key of ours, if the file has it.
std::optional<std::string> ours(const PeftConfig& config, std::string_view key) {
  const auto found = config.extra.find(std::string(key));
  return found == config.extra.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> own_task(const PeftConfig& config) {
  const auto task = ours(config, kTaskKey);
  return task ? task : config.task_type;
}

/// What a folder's head was trained with.
struct Reading {
  Pooling pooling = Pooling::first_token;
  bool token_types = true;

  bool operator==(const Reading&) const = default;
};

Reading reading_of(const Folder& folder) {
  if (NativePrefix::is_in(folder)) return {};
  const PeftConfig config = PeftConfig::read(folder);
  const auto given = ours(config, kPoolingKey);
  require<FileError>(!given || *given == kToken, "{}: {} is '{}'; wanted {}", folder.string(), kPoolingKey, given.value_or(""), kToken);
  if (given) return {};
  const bool prefix = config.peft_type == PeftType::prefix_tuning;
  return {prefix ? Pooling::first_token : Pooling::first_row, own_task(config) != name_of(HeadKind::span)};
}

Pooler pooler_in(const Folder& folder) {
  const auto given = NativePrefix::is_in(folder) ? JsonFile::open(folder / NativePrefix::kDescription).find<std::string>("pooler")
                                                 : ours(PeftConfig::read(folder), kPoolerKey);
  return given ? pooler_of(*given) : Pooler::automatic;
}

std::string task_of(const std::vector<Folder>& folders, const std::string& given) {
  std::string task = given;
  for (const auto& folder : folders) {
    if (NativePrefix::is_in(folder)) continue;
    const auto own = own_task(PeftConfig::read(folder));
    if (!own) continue;
    require<ConfigError>(task.empty() || task == *own, "{}: the task is {}; wanted {}", folder.string(), *own, task);
    task = *own;
  }
  require<ConfigError>(!task.empty(),
                       "encoder: no task was given, and no adapter says one; wanted SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, "
                       "QUESTION_ANS, MASKED_LM or {}",
                       kFeatures);
  return task;
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

}  // namespace

HeadTensors read_head(const Folder& folder) {
  return NativePrefix::is_in(folder) ? heads_of(SafetensorsFile::open(folder / NativePrefix::kTensors)) : heads_of(TensorArchive(folder, kAdapterFiles));
}

HeadedEncoder open_heads(EncoderModel& model, const std::vector<Folder>& folders, const std::string& given,
                         const std::optional<Folder>& trainable, Pooler pooler) {
  HeadedEncoder encoder{model, {}};
  Reading reading;
  const std::string task = task_of(folders, given);
  for (const auto& folder : folders) {
    const Reading given_here = reading_of(folder);
    require<ConfigError>(folder == folders.front() || given_here == reading, "{} and {}: heads that read different rows; wanted one kind",
                         folders.front().string(), folder.string());
    reading = given_here;
  }
  encoder.pooling = reading.pooling;
  encoder.token_types = reading.token_types;
  if (task == kFeatures) return encoder;
  const HeadKind kind = head_kind_of(task);
  std::vector<HeadTensors> tensors;
  for (const auto& folder : folders) tensors.push_back(kind == HeadKind::masked_lm ? HeadTensors{} : read_head(folder));
  if (trainable && tensors.size() == 1) {
    for (auto& [name, tensor] : heads_of(SafetensorsFile::open(*trainable))) {
      if (tensors.front().contains(name)) tensors.front()[name] = tensor;
    }
  }
  if (std::ranges::all_of(tensors, &HeadTensors::empty)) tensors.assign(1, {});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Pooler own = tensors[i].empty() ? pooler : pooler_in(folders[i]);
    encoder.heads.emplace_back(model, kind, tensors[i], slot_name(i, tensors.size(), kHeadPrefix), true, own);
  }
  return encoder;
}

void add_head(const HeadedEncoder& encoder, const Head& head, PeftConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) {
  require<UnsupportedError>(head.kind() != HeadKind::masked_lm, "adapter: PEFT has no task for the masked-LM head; wanted another head");
  config.task_type = peft_task(encoder.model, head);
  if (config.task_type != name_of(head.kind())) config.extra[std::string(kTaskKey)] = name_of(head.kind());
  if (head.pooler() != Pooler::automatic) config.extra[std::string(kPoolerKey)] = name_of(head.pooler());
  // PEFT's own targets, whether the model has such modules or not
  config.modules_to_save = head.kind() == HeadKind::span ? std::vector<std::string>{"qa_outputs"} : std::vector<std::string>{"classifier", "score"};
  if (config.task_type == kFeatures) config.modules_to_save.clear();
  for (const auto& [name, tensor] : head.tensors()) {
    tensors.emplace_back(std::string(kHeadPrefix) + name, tensor);
    const std::string module = module_of(name);
    const bool known = std::ranges::find(config.modules_to_save, module) != config.modules_to_save.end();
    if (!known && config.task_type != kFeatures) config.modules_to_save.push_back(module);
  }
  const bool pools = reads_first_row(head.kind()) && config.peft_type != PeftType::prefix_tuning && encoder.pooling == Pooling::first_token;
  if (pools || (head.kind() == HeadKind::span && encoder.token_types)) config.extra[std::string(kPoolingKey)] = kToken;
}

}  // namespace preamble
