#include "tools/inspect_command.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/tensor_archive.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/neighbours.h"
#include "peft/text_task.h"
#include "tools/progress.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// Smallest, mean and largest of norms; null where a value is not finite.
Json summary(const std::vector<double>& norms) {
  const auto [least, most] = std::ranges::minmax(norms);
  return {{"min", least}, {"mean", std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size())}, {"max", most}};
}

/// Matrices stay mapped in the type of the file.
Dtype stored_weights(const std::filesystem::path& model) {
  const TensorArchive archive(model);
  const bool rounded = std::ranges::any_of(archive.names(), [&](const auto& name) { return archive.dtype_name(name) == "BF16"; });
  return rounded ? Dtype::bf16 : Dtype::f32;
}

std::string token_text(const Tokenizer& tokenizer, std::int32_t id) {
  const auto token = tokenizer.id_to_token(id);
  // an embedding may have more rows than the tokenizer has tokens
  return token ? std::string(*token) : fmt::format("<no token {}>", id);
}

class Inspection {
 public:
  explicit Inspection(const InspectArguments& args)
      : args_(args), config_(PeftConfig::read(args.adapter, warn())), prompt_(read_embeddings(args.adapter, config_, warn())) {}

  Json run() {
    add_config();
    if (args_.model) add_model();
    add_rows();
    add_files();
    json_["warnings"] = warnings_;
    return std::move(json_);
  }

 private:
  [[nodiscard]] Warn warn() {
    return [this](const std::string& text) { warnings_.push_back(text); };
  }
  [[nodiscard]] bool prefix() const { return config_.peft_type == PeftType::prefix_tuning; }

  void add_config() {
    json_ = {{"adapter", args_.adapter.string()},
             {"peft_type", name_of(config_.peft_type)},
             {"task_type", or_null(config_.task_type)},
             {"base_model_name_or_path", or_null(config_.base_model_name_or_path)},
             {"num_virtual_tokens", prompt_.tokens},
             {"num_transformer_submodules", prompt_.embeddings.dim(0) / prompt_.tokens},
             {"num_layers", or_null(config_.num_layers)},
             {"rows", prompt_.embeddings.dim(0)},
             {"width", prompt_.embeddings.dim(1)},
             {"trainable", prompt_.embeddings.count()},
             {"used", prompt_.tokens * prompt_.embeddings.dim(1)},
             {"resumable", std::filesystem::exists(args_.adapter / "trainer_state.safetensors")}};
    for (const auto& [key, value] : config_.extra) json_[key] = value;
    if (const auto task = TextTask::read(args_.adapter)) {
      json_["task"] = {{"input", task->input}, {"target", task->target}, {"labels", task->labels}, {"label_column", task->label_column}};
    }
  }

  void add_model() {
    Parameters::Options options;
    options.weights = stored_weights(*args_.model);
    const auto model = open_encoder_decoder(*args_.model, options);
    std::int64_t backbone = 0;
    for (const auto& [name, tensor] : model->parameters().loaded()) backbone += tensor.count();
    json_["model"] = args_.model->string();
    json_["parameters"] = backbone + prompt_.embeddings.count();
    json_["trainable_percent"] = 100.0 * static_cast<double>(prompt_.embeddings.count()) / static_cast<double>(backbone + prompt_.embeddings.count());
    if (prefix()) {
      warnings_.push_back("a prefix holds keys and values of layers: it has no neighbours among embeddings");
      return;
    }
    // the same error as if the prompt were used
    (void)read_prompt(args_.adapter, config_, model->width());
    json_["vocabulary_norm"] = summary(row_norms(model->embedding()));
    if (args_.neighbours == 0) return;
    tokenizer_ = load_tokenizer(*args_.model);
    neighbours_ = nearest_tokens(prompt_.embeddings.rows(0, prompt_.tokens), model->embedding(), args_.neighbours);
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
      list.push_back({{"id", neighbour.id}, {"token", token_text(*tokenizer_, neighbour.id)}, {"cosine", neighbour.cosine}});
    }
    return list;
  }

  void add_files() {
    std::vector<std::pair<std::string, std::uintmax_t>> files;
    for (const auto& entry : std::filesystem::directory_iterator(args_.adapter)) {
      if (entry.is_regular_file()) files.emplace_back(entry.path().filename().string(), entry.file_size());
    }
    std::ranges::sort(files);
    json_["files"] = Json::object();
    for (const auto& [name, size] : files) json_["files"][name] = size;
  }

  const InspectArguments& args_;
  std::vector<std::string> warnings_;
  PeftConfig config_;
  PromptSlot prompt_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::vector<Neighbour>> neighbours_;
  Json json_;
};

std::string text_of(const Json& value) { return value.is_null() ? "not given" : value.is_string() ? value.get<std::string>() : value.dump(); }

std::string range_of(const Json& norms) {
  return fmt::format("{:.4g} to {:.4g}, mean {:.4g}", norms["min"].get<double>(), norms["max"].get<double>(), norms["mean"].get<double>());
}

void print_facts(const Json& j) {
  fmt::print("{}: {} for {}, trained on {}\n", text_of(j["adapter"]), text_of(j["peft_type"]), text_of(j["task_type"]), text_of(j["base_model_name_or_path"]));
  const auto trainable = j["trainable"].get<std::int64_t>();
  const auto used = j["used"].get<std::int64_t>();
  fmt::print("  virtual tokens   {} (rows {} x {}{})\n", text_of(j["num_virtual_tokens"]), text_of(j["rows"]), text_of(j["width"]),
             used < trainable ? fmt::format(", of which {} are never read", j["rows"].get<std::int64_t>() - j["num_virtual_tokens"].get<std::int64_t>()) : "");
  fmt::print("  trainable        {}", trainable);
  if (j.contains("trainable_percent")) fmt::print(" of {} parameters ({:.4f} %)", text_of(j["parameters"]), j["trainable_percent"].get<double>());
  fmt::print("\n  norm of a row    {}\n", range_of(j["norm"]));
  if (j.contains("vocabulary_norm")) fmt::print("  of a word        {}\n", range_of(j["vocabulary_norm"]));
  if (j.contains("task")) {
    const Json& task = j["task"];
    const bool classes = !task["labels"].get<std::string>().empty();
    fmt::print("  task             {} -> {}\n", text_of(task["input"]), text_of(task[classes ? "labels" : "target"]));
  }
  for (const auto& [name, size] : j["files"].items()) fmt::print("  {:<32} {}\n", name, human_bytes(size.get<std::int64_t>()));
}

void print_rows(const Json& j) {
  for (const Json& row : j["prompt"]) {
    fmt::print("{:>5}  norm {:<9.4g}", row["row"].get<int>(), row["norm"].get<double>());
    if (row.contains("neighbours")) {
      for (const Json& n : row["neighbours"]) fmt::print("  {} {:.3f}", text_of(n["token"]), n["cosine"].get<double>());
    } else {
      fmt::print("  mean {:<10.3g}  std {:.3g}", row["mean"].get<double>(), row["std"].get<double>());
    }
    fmt::print("\n");
  }
}

}  // namespace

int inspect_command(const InspectArguments& args) {
  const Json facts = Inspection(args).run();
  if (args.json) {
    fmt::print("{}\n", facts.dump(2, ' ', false, Json::error_handler_t::replace));
    return 0;
  }
  print_facts(facts);
  print_rows(facts);
  for (const auto& warning : facts["warnings"]) fmt::print("note: {}\n", warning.get<std::string>());
  return 0;
}

}  // namespace preamble
