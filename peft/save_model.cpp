#include "peft/save_model.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/model_type.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/lora.h"

namespace preamble {
namespace {

constexpr std::array kCopied = {"generation_config.json",
                                "tokenizer.json",
                                "tokenizer_config.json",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "spiece.model",
                                "sentencepiece.bpe.model",
                                "spm.model",
                                "cog-pretrain.model",
                                "tokenizer.model",
                                "vocab.json",
                                "merges.txt",
                                "vocab.txt"};

using Json = nlohmann::ordered_json;
using Tensors = std::vector<std::pair<std::string, Tensor>>;

/// All loaded parameters, low-rank additions merged into the weights that have them.
Tensors merged_tensors(const Parameters& parameters) {
  constexpr std::string_view kWeight = ".weight";
  Tensors tensors(parameters.loaded().begin(), parameters.loaded().end());
  for (auto& [name, tensor] : tensors) {
    if (!name.ends_with(kWeight)) continue;
    const std::string map = name.substr(0, name.size() - kWeight.size());
    const LowRank* addition = parameters.low_rank(map);
    if (addition != nullptr) tensor = merged_weight(tensor, *addition, parameters.maps().at(map).transposed);
  }
  return tensors;
}

/// As transformers names it: `float32`, `bfloat16`.
std::string_view config_dtype(const Parameters& parameters) {
  const bool rounded = std::ranges::any_of(parameters.loaded(), [](const auto& named) { return named.second.dtype() == Dtype::bf16; });
  return rounded ? "bfloat16" : "float32";
}

/// The source's config in its own order, with the type that the weights have now. Both names of the field are in use.
Json config_of(const std::filesystem::path& path, std::string_view dtype) {
  const JsonFile checked = JsonFile::open(path);
  auto json = Json::parse(read_text(path));
  if (checked.has("torch_dtype")) json["torch_dtype"] = dtype;
  if (!checked.has("torch_dtype") || checked.has("dtype")) json["dtype"] = dtype;
  return json;
}

void add_classes(const std::vector<std::string>& classes, Json& config) {
  Json names = Json::object();
  Json numbers = Json::object();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    names[std::to_string(i)] = classes[i];
    numbers[classes[i]] = i;
  }
  config["id2label"] = std::move(names);
  config["label2id"] = std::move(numbers);
  config["num_labels"] = classes.size();
}

bool is_llama(std::string_view type) {
  constexpr std::array<std::string_view, 5> kTypes = {"gemma", "llama", "mistral", "qwen2", "qwen3"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

/// What transformers puts in front of the backbone's names in a model with a head.
std::string family_prefix(const JsonFile& config) {
  const auto type = model_type_of(config);
  if (type == "xlm-roberta") return "roberta.";
  if (type == "gpt2") return "transformer.";
  if (type == "gpt_neox") return "gpt_neox.";
  if (is_llama(type)) return "model.";
  return type.substr(0, type.find('-')) + ".";  // deberta-v2: deberta.
}

/// The backbone's names get the prefix where none has it; heads stay as they are.
void add_prefix(const std::string& prefix, Tensors& tensors) {
  constexpr std::array<std::string_view, 14> kBackbone = {"embeddings", "encoder.", "transformer.", "pooler.", "word_embeddings",
                                                          "h.",         "wte.",     "wpe.",         "ln_f.",   "layers.",
                                                          "embed_tokens.", "embed_in.", "norm.",    "final_layer_norm."};
  const auto has_prefix = [&](const auto& named) { return named.first.starts_with(prefix); };
  if (std::ranges::any_of(tensors, has_prefix)) return;
  for (auto& [name, tensor] : tensors) {
    if (std::ranges::any_of(kBackbone, [&](std::string_view part) { return name.starts_with(part); })) name = prefix + name;
  }
}

void save(const std::filesystem::path& source, const std::filesystem::path& target, Tensors tensors, const Json& config) {
  copy_model_files(source, target);
  // transformers cannot read matrices that preamble has quantised
  for (auto& [name, tensor] : tensors) {
    if (is_quantised(tensor.dtype())) tensor = tensor.to(Dtype::f32);
  }
  write_safetensors(target / "model.safetensors", tensors);
  write_atomically(target / "config.json", config.dump(2) + "\n");
}

}  // namespace

void copy_model_files(const std::filesystem::path& source, const std::filesystem::path& target) {
  std::error_code error;
  require<FileError>(!std::filesystem::equivalent(source, target, error), "{}: it holds the model that was read; wanted another folder",
                     target.string());
  std::filesystem::create_directories(target, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", target.string(), error.message());
  for (const auto* name : kCopied) {
    if (std::filesystem::exists(source / name)) write_atomically(target / name, read_text(source / name));
  }
}

void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters) {
  save(source, target, merged_tensors(parameters), config_of(source / "config.json", config_dtype(parameters)));
}

void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters,
                       const Head& head, const std::vector<std::string>& classes) {
  Json config = config_of(source / "config.json", config_dtype(parameters));
  if (!classes.empty()) add_classes(classes, config);
  Tensors tensors = merged_tensors(parameters);
  add_prefix(family_prefix(JsonFile::open(source / "config.json")), tensors);
  // the class with such a head has none for the vocabulary
  std::erase_if(tensors, [](const auto& named) { return named.first == "lm_head.weight" || named.first == "embed_out.weight"; });
  for (const auto& [name, tensor] : head.tensors()) {
    // a head that the checkpoint had is replaced
    std::erase_if(tensors, [&](const auto& named) { return named.first == name; });
    tensors.emplace_back(name, tensor);
  }
  save(source, target, tensors, config);
}

}  // namespace preamble
