#include "peft/head_file.h"

#include <algorithm>

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

/// What a folder's head was trained with.
struct Reading {
  Pooling pooling = Pooling::first_token;
  bool token_types = true;

  bool operator==(const Reading&) const = default;
};

Reading reading_of(const Folder& folder) {
  if (NativePrefix::is_in(folder)) return {};
  const PeftConfig config = PeftConfig::read(folder);
  const auto given = config.extra.find(std::string(kPoolingKey));
  require<FileError>(given == config.extra.end() || given->second == kToken, "{}: {} is '{}'; wanted {}", folder.string(), kPoolingKey,
                     given == config.extra.end() ? "" : given->second, kToken);
  if (given != config.extra.end()) return {};
  const bool prefix = config.peft_type == PeftType::prefix_tuning;
  return {prefix ? Pooling::first_token : Pooling::first_row, config.task_type != name_of(HeadKind::span)};
}

std::string task_of(const std::vector<Folder>& folders, const std::string& given) {
  std::string task = given;
  for (const auto& folder : folders) {
    if (NativePrefix::is_in(folder)) continue;
    const auto own = PeftConfig::read(folder).task_type;
    if (!own) continue;
    require<ConfigError>(task.empty() || task == *own, "{}: task_type is {}; wanted {}", folder.string(), *own, task);
    task = *own;
  }
  require<ConfigError>(!task.empty(), "encoder: no task was given, and no adapter says one; wanted SEQ_CLS, TOKEN_CLS, QUESTION_ANS, MASKED_LM or {}",
                       kFeatures);
  return task;
}

}  // namespace

HeadTensors read_head(const Folder& folder) {
  return NativePrefix::is_in(folder) ? heads_of(SafetensorsFile::open(folder / NativePrefix::kTensors)) : heads_of(TensorArchive(folder, kAdapterFiles));
}

HeadedEncoder open_heads(EncoderModel& model, const std::vector<Folder>& folders, const std::string& given, const std::optional<Folder>& trainable) {
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
  for (std::size_t i = 0; i < tensors.size(); ++i) encoder.heads.emplace_back(model, kind, tensors[i], slot_name(i, tensors.size(), kHeadPrefix));
  return encoder;
}

void add_head(const HeadedEncoder& encoder, const Head& head, PeftConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) {
  require<UnsupportedError>(head.kind() != HeadKind::masked_lm, "adapter: PEFT has no task for the masked-LM head; wanted another head");
  config.task_type = name_of(head.kind());
  // PEFT's own targets, whether the model has such modules or not
  config.modules_to_save = head.kind() == HeadKind::span ? std::vector<std::string>{"qa_outputs"} : std::vector<std::string>{"classifier", "score"};
  for (const auto& [name, tensor] : head.tensors()) {
    tensors.emplace_back(std::string(kHeadPrefix) + name, tensor);
    const std::string module = name.substr(0, name.find('.'));
    if (std::ranges::find(config.modules_to_save, module) == config.modules_to_save.end()) config.modules_to_save.push_back(module);
  }
  const bool pools = head.kind() == HeadKind::sequence && config.peft_type != PeftType::prefix_tuning && encoder.pooling == Pooling::first_token;
  if (pools || (head.kind() == HeadKind::span && encoder.token_types)) config.extra[std::string(kPoolingKey)] = kToken;
}

}  // namespace preamble
