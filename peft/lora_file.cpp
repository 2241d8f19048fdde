#include "peft/lora_file.h"

#include <map>
#include <optional>
#include <utility>

#include "data/json_file.h"
#include "data/model_type.h"
#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "peft/adapter_file.h"
#include "peft/leftover_tensors.h"

namespace preamble {
namespace {

constexpr std::string_view kA = ".lora_A.weight";
constexpr std::string_view kB = ".lora_B.weight";

bool is_suffix(std::string_view name, std::string_view part) {
  return name.size() > part.size() && name.ends_with(part) && name[name.size() - part.size() - 1] == '.';
}

/// The model's map that a module of the adapter is.
std::string map_of(const std::string& module, const std::map<std::string, LinearMap>& maps, const std::string& where) {
  if (maps.contains(module)) return module;
  std::optional<std::string> found;
  for (const auto& [name, map] : maps) {
    if (!is_suffix(module, name) && !is_suffix(name, module)) continue;
    require<FileError>(!found, "{}: '{}' may be '{}' or '{}'; wanted one map", where, module, found.value_or(""), name);
    found = name;
  }
  require<FileError>(found.has_value(), "{}: the model has no linear map '{}'", where, module);
  return *found;
}

}  // namespace

std::string class_prefix(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "config.json")) return "";
  static const std::map<std::string, std::string> kPrefixes = {{"bart", "model."},
                                                               {"bert", "bert."},
                                                               {"deberta-v2", "deberta."},
                                                               {"distilbert", "distilbert."},
                                                               {"electra", "electra."},
                                                               {"gemma", "model."},
                                                               {"glm", "glm."},
                                                               {"gpt2", "transformer."},
                                                               {"gpt_neox", "gpt_neox."},
                                                               {"llama", "model."},
                                                               {"mistral", "model."},
                                                               {"qwen2", "model."},
                                                               {"qwen3", "model."},
                                                               {"roberta", "roberta."},
                                                               {"xlm-roberta", "roberta."}};
  const auto found = kPrefixes.find(model_type_of(JsonFile::open(folder / "config.json"), ""));
  return found == kPrefixes.end() ? "" : found->second;
}

std::string module_name(const std::string& map, const std::string& prefix) { return map.starts_with(prefix) ? map : prefix + map; }

bool is_lora(const std::filesystem::path& folder) {
  const auto config = folder / "adapter_config.json";
  return std::filesystem::exists(config) && JsonFile::open(config).get<std::string>("peft_type", "") == name_of(PeftType::lora);
}

std::unique_ptr<LoraTuning> read_lora(const std::filesystem::path& folder, LanguageModel& model, std::unique_ptr<Method> beside,
                                      const Warn& warn) {
  const PeftConfig config = PeftConfig::read(folder, warn);
  const TensorArchive file(folder, kAdapterFiles);
  const auto maps = maps_inside(model);
  LoraTensors tensors;
  std::map<std::string, std::string> names;
  for (const auto& name : file.names()) {
    const std::string where = file.where(name);
    require<UnsupportedError>(name.find("lora_embedding") == std::string::npos && name.find("lora_magnitude") == std::string::npos,
                              "{}: LoRA of an embedding, or DoRA; wanted additions to linear maps", where);
    const bool is_a = name.ends_with(kA);
    if (!is_a && !name.ends_with(kB)) continue;
    require<FileError>(name.starts_with(kLoraPrefix), "{}; wanted a name that starts with {}", where, kLoraPrefix);
    const std::string leaf = name.substr(0, name.size() - kA.size());
    const std::string map = map_of(leaf.substr(kLoraPrefix.size()), maps, where);
    const Tensor stored = file.get(name);
    require<FileError>(is_floating(stored.dtype()) && stored.dims().size() == 2, "{} is {} {}; wanted a floating matrix", where,
                       name_of(stored.dtype()), to_string(stored.dims()));
    require<FileError>(stored.dim(is_a ? 0 : 1) == config.lora.r, "{} is {}; wanted rank {}", where, to_string(stored.dims()), config.lora.r);
    LoraFactors& factors = tensors[map];
    Tensor& target = is_a ? factors.a : factors.b;
    require<FileError>(!target.defined(), "{}: '{}' has two of them; wanted one", where, map);
    target = owned_floats(stored, where, warn);
    names.insert_or_assign(map, leaf);
  }
  warn_of_leftovers(file, config, [](std::string_view name) { return name.ends_with(kA) || name.ends_with(kB); }, warn);
  require<FileError>(!tensors.empty(), "{}: no lora_A and lora_B; wanted one pair at least", folder.string());
  for (const auto& [map, factors] : tensors) {
    require<FileError>(factors.a.defined() && factors.b.defined(), "{}: '{}' has one of lora_A and lora_B; wanted both", folder.string(), map);
  }
  return std::make_unique<LoraTuning>(std::move(beside), model, config.lora, std::move(tensors), names);
}

}  // namespace preamble
