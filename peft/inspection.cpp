#include "peft/inspection.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/safetensors.h"
#include "data/tensor_archive.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/lora_file.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"
#include "peft/neighbours.h"
#include "peft/text_task.h"
#include "peft/training_state.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// Smallest, mean and largest of norms; null where a value is not finite.
Json summary(const std::vector<double>& norms) {
  const auto [least, most] = std::ranges::minmax(norms);
  return {{"min", least}, {"mean", std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size())}, {"max", most}};
}

std::string token_text(const Tokenizer& tokenizer, std::int32_t id) {
  const auto token = tokenizer.id_to_token(id);
  // an embedding may have more rows than the tokenizer has tokens
  return token ? std::string(*token) : fmt::format("<no token {}>", id);
}

/// Sizes of the files of a folder.
Json files_of(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::uintmax_t>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.emplace_back(entry.path().filename().string(), entry.file_size());
  }
  std::ranges::sort(files);
  Json json = Json::object();
  for (const auto& [name, size] : files) json[name] = size;
  return json;
}

void add_task(Json& json, const std::filesystem::path& folder) {
  const auto task = TextTask::read(folder);
  if (!task) return;
  json["task"] = {{"input", task->input}, {"target", task->target}, {"labels", task->labels}, {"label_column", task->label_column}};
}

/// Loaded numbers of a model.
std::int64_t parameter_count(LanguageModel& model) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model.parameters().loaded()) count += tensor.count();
  return count;
}

std::unique_ptr<LanguageModel> open_for_inspection(const std::filesystem::path& folder) {
  Parameters::Options options;
  options.as_stored = true;
  return open_model(folder, options);
}

/// Bytes of the loaded tensors by their types.
Json bytes_by_type(LanguageModel& model) {
  std::map<std::string, std::size_t> bytes;
  for (const auto& [name, tensor] : model.parameters().loaded()) bytes[std::string(name_of(tensor.dtype()))] += tensor.bytes();
  return bytes;
}

/// Shapes that a native prefix fits by what its own tensors say.
AttentionShape shape_in_file(const std::filesystem::path& folder, Site site) {
  const SafetensorsFile file = SafetensorsFile::open(folder / NativePrefix::kTensors);
  const std::string name = fmt::format("{}.key", name_of(site));
  require<FileError>(file.contains(name) && file.dims(name).size() == 4, "{}: tensor '{}' is missing or no [layers, H, P, d]",
                     file.path().string(), name);
  const Dims& dims = file.dims(name);
  AttentionShape shape{dims[0], dims[1], dims[1], dims[3]};
  const JsonFile json = JsonFile::open(folder / NativePrefix::kDescription);
  if (!json.has("layers")) return shape;
  for (const auto layer : json.section("layers").get<std::vector<std::int64_t>>(name_of(site), {})) {
    shape.layers = std::max(shape.layers, layer + 1);
  }
  return shape;
}

Json site_facts(const SitePrefixTable& table) {
  const KeysAndValues both = table.unpacked();
  // a row of a head is a vector of its own
  const auto norms = [&](const Tensor& heads) {
    return summary(row_norms(heads.reshaped({heads.count() / table.head_dim, table.head_dim})));
  };
  Json layers = Json::array();
  for (const auto& [layer, pair] : table.pair_of_layer) layers.push_back(layer);
  return {{"layers", layers},           {"num_virtual_tokens", table.tokens()}, {"heads", table.heads},
          {"head_dim", table.head_dim}, {"key_norm", norms(both.key)},          {"value_norm", norms(both.value)}};
}

Json inspect_native(const std::filesystem::path& adapter, const std::optional<std::filesystem::path>& model_folder) {
  std::vector<std::string> warnings;
  std::unique_ptr<LanguageModel> model;
  if (model_folder) model = open_for_inspection(*model_folder);
  const auto shapes = [&](Site site) { return model ? model->attention_shape(site) : shape_in_file(adapter, site); };
  const NativePrefix prefix = NativePrefix::read(adapter, shapes, {}, [&](const std::string& text) { warnings.push_back(text); });
  Json json = {{"adapter", adapter.string()},
               {"format", "native prefix"},
               {"positions", prefix.shifted ? "shifted" : "unshifted"},
               {"placement", name_of(prefix.placement)}};
  std::int64_t trainable = 0;
  for (const auto& [site, table] : prefix.slot) {
    json["sites"][std::string(name_of(site))] = site_facts(table);
    trainable += table.packed().rows.count();
  }
  json["trainable"] = trainable;
  json["resumable"] = std::filesystem::exists(TrainingState::path(adapter));
  if (model) {
    const std::int64_t all = parameter_count(*model) + trainable;
    json["model"] = model_folder->string();
    json["parameters"] = all;
    json["weights_bytes"] = bytes_by_type(*model);
    json["trainable_percent"] = 100.0 * static_cast<double>(trainable) / static_cast<double>(all);
  }
  add_task(json, adapter);
  json["files"] = files_of(adapter);
  json["warnings"] = warnings;
  return json;
}

/// What a LORA folder adds to which maps.
Json inspect_lora(const std::filesystem::path& adapter, const std::optional<std::filesystem::path>& model_folder) {
  std::vector<std::string> warnings;
  const PeftConfig config = PeftConfig::read(adapter, [&](const std::string& text) { warnings.push_back(text); });
  const TensorArchive file(adapter, kAdapterFiles);
  Json json = {{"adapter", adapter.string()},
               {"peft_type", name_of(config.peft_type)},
               {"task_type", json_or_null(config.task_type)},
               {"base_model_name_or_path", json_or_null(config.base_model_name_or_path)},
               {"r", config.lora.r},
               {"lora_alpha", config.lora.alpha},
               {"lora_dropout", config.lora.dropout},
               {"scale", config.lora.scale()},
               {"target_modules", config.lora.target_modules},
               {"modules", Json::array()}};
  constexpr std::string_view kA = ".lora_A.weight";
  std::int64_t trainable = 0;
  for (const auto& name : file.names()) {
    trainable += file.get(name).count();
    if (!name.starts_with(kLoraPrefix) || !name.ends_with(kA)) continue;
    json["modules"].push_back(name.substr(kLoraPrefix.size(), name.size() - kLoraPrefix.size() - kA.size()));
  }
  json["trainable"] = trainable;
  json["resumable"] = std::filesystem::exists(TrainingState::path(adapter));
  if (model_folder) {
    const auto model = open_for_inspection(*model_folder);
    const std::int64_t all = parameter_count(*model) + trainable;
    json["model"] = model_folder->string();
    json["parameters"] = all;
    json["trainable_percent"] = 100.0 * static_cast<double>(trainable) / static_cast<double>(all);
    // read again, now against the model
    (void)read_lora(adapter, *model, std::make_unique<NoMethod>());
  }
  add_task(json, adapter);
  json["files"] = files_of(adapter);
  json["warnings"] = warnings;
  return json;
}

class Inspection {
 public:
  Inspection(const std::filesystem::path& adapter, const std::optional<std::filesystem::path>& model, std::int64_t neighbours)
      : adapter_(adapter),
        model_folder_(model),
        count_(neighbours),
        infix_(NativePrompt::is_in(adapter)),
        config_(infix_ ? config_of_infix() : PeftConfig::read(adapter, warn())),
        prompt_(infix_ ? NativePrompt::read(adapter, std::nullopt, warn()).slot : read_embeddings(adapter, config_, warn())) {}

  Json run() {
    add_config();
    if (model_folder_) add_model();
    add_rows();
    json_["files"] = files_of(adapter_);
    json_["warnings"] = warnings_;
    return std::move(json_);
  }

 private:
  [[nodiscard]] Warn warn() {
    return [this](const std::string& text) { warnings_.push_back(text); };
  }
  /// What PEFT would say of it, if PEFT had infixes.
  [[nodiscard]] static PeftConfig config_of_infix() {
    PeftConfig config;
    config.peft_type = PeftType::prompt_tuning;
    config.task_type = "CAUSAL_LM";
    return config;
  }
  [[nodiscard]] bool prefix() const { return config_.peft_type == PeftType::prefix_tuning; }

  void add_config() {
    json_ = {{"adapter", adapter_.string()},
             {"peft_type", name_of(config_.peft_type)},
             {"task_type", json_or_null(config_.task_type)},
             {"placement", name_of(infix_ ? Placement::infix : Placement::prefix)},
             {"base_model_name_or_path", json_or_null(config_.base_model_name_or_path)},
             {"num_virtual_tokens", prompt_.tokens},
             {"num_transformer_submodules", prompt_.embeddings.dim(0) / prompt_.tokens},
             {"num_layers", json_or_null(config_.num_layers)},
             {"rows", prompt_.embeddings.dim(0)},
             {"width", prompt_.embeddings.dim(1)},
             {"trainable", prompt_.embeddings.count()},
             {"used", prompt_.tokens * prompt_.embeddings.dim(1)},
             {"resumable", std::filesystem::exists(TrainingState::path(adapter_))}};
    for (const auto& [key, value] : config_.extra) json_[key] = value;
    add_task(json_, adapter_);
  }

  void add_model() {
    const auto model = open_for_inspection(*model_folder_);
    const std::int64_t backbone = parameter_count(*model);
    json_["model"] = model_folder_->string();
    json_["parameters"] = backbone + prompt_.embeddings.count();
    json_["weights_bytes"] = bytes_by_type(*model);
    json_["trainable_percent"] =
        100.0 * static_cast<double>(prompt_.embeddings.count()) / static_cast<double>(backbone + prompt_.embeddings.count());
    // read again, now against the model; what is odd about the folder is known
    const PeftConfig full = resolved(config_, *model);
    json_["num_layers"] = *full.num_layers;
    if (prefix()) {
      (void)read_embeddings(adapter_, full);
      warnings_.push_back("a prefix holds keys and values of layers: it has no neighbours among embeddings");
      return;
    }
    if (infix_) {
      (void)NativePrompt::read(adapter_, model->embedding_width());
    } else {
      (void)read_prompt(adapter_, config_, model->embedding_width());
    }
    json_["vocabulary_norm"] = summary(row_norms(model->embedding()));
    if (count_ == 0) return;
    try {
      tokenizer_ = load_tokenizer(*model_folder_);
    } catch (const Error& error) {
      warnings_.push_back(fmt::format("no tokenizer was read, so that neighbours have numbers only: {}", error.what()));
    }
    neighbours_ = nearest_tokens(prompt_.embeddings.rows(0, prompt_.tokens), model->embedding(), count_);
  }

  void add_rows() {
    const auto norms = row_norms(prompt_.embeddings.rows(0, prompt_.tokens));
    json_["norm"] = summary(norms);
    Json rows = Json::array();
    const std::int64_t width = prompt_.embeddings.dim(1);
    const auto values = std::as_const(prompt_.embeddings).values<float>();
    for (std::size_t r = 0; r < norms.size(); ++r) {
      const auto row = values.subspan(r * static_cast<std::size_t>(width), static_cast<std::size_t>(width));
      const double mean = std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(width);
      // the variance as mean square less squared mean: both are small here
      const double deviation = std::sqrt(std::max(0.0, norms[r] * norms[r] / static_cast<double>(width) - mean * mean));
      Json one = {{"row", r}, {"norm", norms[r]}, {"mean", mean}, {"std", deviation}};
      if (!neighbours_.empty()) one["neighbours"] = neighbours_of(r);
      rows.push_back(std::move(one));
    }
    json_["prompt"] = std::move(rows);
  }

  [[nodiscard]] Json neighbours_of(std::size_t row) const {
    Json list = Json::array();
    for (const auto& neighbour : neighbours_[row]) {
      list.push_back({{"id", neighbour.id},
                      {"token", tokenizer_ ? token_text(*tokenizer_, neighbour.id) : fmt::format("#{}", neighbour.id)},
                      {"cosine", neighbour.cosine}});
    }
    return list;
  }

  const std::filesystem::path& adapter_;
  const std::optional<std::filesystem::path>& model_folder_;
  std::int64_t count_;
  std::vector<std::string> warnings_;
  bool infix_;
  PeftConfig config_;
  PromptSlot prompt_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::vector<Neighbour>> neighbours_;
  Json json_;
};

}  // namespace

nlohmann::ordered_json inspect_adapter(const std::filesystem::path& adapter, const std::optional<std::filesystem::path>& model,
                                       std::int64_t neighbours) {
  require<ConfigError>(neighbours >= 0, "inspection: {} neighbours were asked for; wanted none or more", neighbours);
  if (NativePrefix::is_in(adapter) && !NativePrompt::is_in(adapter)) return inspect_native(adapter, model);
  if (is_lora(adapter)) return inspect_lora(adapter, model);
  return Inspection(adapter, model, neighbours).run();
}

}  // namespace preamble
