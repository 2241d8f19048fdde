#include "models/made_up_model.h"

#include <filesystem>
#include <map>
#include <ranges>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "data/json_file.h"
#include "data/model_type.h"
#include "engine/core/error.h"
#include "models/bart/bart.h"
#include "models/bert/bert.h"
#include "models/deberta/deberta.h"
#include "models/glm/glm.h"
#include "models/gpt2/gpt2.h"
#include "models/gpt_neox/gpt_neox.h"
#include "models/llama/llama.h"
#include "models/t5/t5.h"

namespace preamble {
namespace {

using Source = std::shared_ptr<const ParameterSource>;
using Options = Parameters::Options;
using HiddenNames = std::set<std::string, std::less<>>;

/// Another source without some of its tensors.
class SourceWithout final : public ParameterSource {
 public:
  SourceWithout(Source source, HiddenNames hidden) : source_(std::move(source)), hidden_(std::move(hidden)) {}

  [[nodiscard]] bool contains(std::string_view name) const override { return !hidden_.contains(name) && source_->contains(name); }
  [[nodiscard]] Tensor get(std::string_view name, const Dims& dims, Dtype dtype) const override { return source_->get(name, dims, dtype); }
  [[nodiscard]] std::string where(std::string_view name) const override { return source_->where(name); }
  [[nodiscard]] std::vector<std::string> names() const override { return source_->names(); }

 private:
  Source source_;
  HiddenNames hidden_;
};

template <class Model, class Config>
std::unique_ptr<LanguageModel> make(const Config& config, Source source, Options options, HiddenNames hidden = {}) {
  return std::make_unique<Model>(config, Parameters(std::make_shared<SourceWithout>(std::move(source), std::move(hidden)), std::move(options)));
}

std::unique_ptr<LanguageModel> make_bart(const BartConfig& config, Source source, Options options) {
  // a bias of zeros in every published BART, and never trained
  return make<Bart>(config, std::move(source), std::move(options), {"final_logits_bias"});
}

std::unique_ptr<LanguageModel> t5_of(const JsonFile& json, Source source, Options options) {
  const bool tied = json.get<bool>("tie_word_embeddings", true);
  return make<T5>(T5Config::read(json), std::move(source), std::move(options), tied ? HiddenNames{"lm_head.weight"} : HiddenNames{});
}

std::unique_ptr<LanguageModel> published_t5(const std::string& shape, Source source, Options options) {
  return make<T5>(T5Config::published(shape), std::move(source), std::move(options));
}

std::unique_ptr<LanguageModel> bert_of(const JsonFile& json, Source source, Options options) {
  return make<Bert>(BertConfig::read(json), std::move(source), std::move(options));
}

std::unique_ptr<LanguageModel> published_bert(const std::string& shape, Source source, Options options) {
  return make<Bert>(BertConfig::published(shape), std::move(source), std::move(options));
}

/// Made-up texts have no pieces: all of their tokens see each other.
std::unique_ptr<LanguageModel> make_glm(const GlmConfig& config, Source source, Options options) {
  return std::make_unique<Glm>(config, Parameters(std::move(source), std::move(options)), BlankFilling{});
}

std::unique_ptr<LanguageModel> llama_of(const JsonFile& json, Source source, Options options) {
  return make<Llama>(LlamaConfig::read(json), std::move(source), std::move(options));
}

std::unique_ptr<LanguageModel> published_llama(const std::string& shape, Source source, Options options) {
  return make<Llama>(LlamaConfig::published(shape), std::move(source), std::move(options));
}

std::unique_ptr<LanguageModel> neox_of(const JsonFile& json, Source source, Options options) {
  return make<GptNeox>(GptNeoxConfig::read(json), std::move(source), std::move(options));
}

/// One family: how its folders are read, and its published shapes.
struct Family {
  std::unique_ptr<LanguageModel> (*from_config)(const JsonFile& json, Source source, Options options);
  std::unique_ptr<LanguageModel> (*published)(const std::string& shape, Source source, Options options);
  std::vector<std::string> shapes;
};

Family family_of_llama(const std::string& model_type) { return {llama_of, published_llama, LlamaConfig::published_names(model_type)}; }

Family family_of_bert(std::string_view model_type) { return {bert_of, published_bert, BertConfig::published_names(model_type)}; }

const std::map<std::string, Family>& families() {
  static const std::map<std::string, Family> kFamilies = {
      {"bart",
       {[](const JsonFile& json, Source s, Options o) { return make_bart(BartConfig::read(json), std::move(s), std::move(o)); },
        [](const std::string& shape, Source s, Options o) { return make_bart(BartConfig::published(shape), std::move(s), std::move(o)); },
        {"bart-base", "bart-large"}}},
      {"bert", family_of_bert("bert")},
      {"deberta-v2",
       {[](const JsonFile& json, Source s, Options o) { return make<Deberta>(DebertaConfig::read(json), std::move(s), std::move(o)); },
        [](const std::string& shape, Source s, Options o) { return make<Deberta>(DebertaConfig::published(shape), std::move(s), std::move(o)); },
        {"deberta-v3-base", "deberta-v3-large"}}},
      {"distilbert", family_of_bert("distilbert")},
      {"electra", family_of_bert("electra")},
      {"glm",
       {[](const JsonFile& json, Source s, Options o) { return make_glm(GlmConfig::read(json), std::move(s), std::move(o)); },
        [](const std::string& shape, Source s, Options o) { return make_glm(GlmConfig::published(shape), std::move(s), std::move(o)); },
        GlmConfig::published_names()}},
      {"gpt2",
       {[](const JsonFile& json, Source s, Options o) { return make<Gpt2>(Gpt2Config::read(json), std::move(s), std::move(o)); },
        [](const std::string& shape, Source s, Options o) { return make<Gpt2>(Gpt2Config::published(shape), std::move(s), std::move(o)); },
        {"gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"}}},
      {"gemma", family_of_llama("gemma")},
      {"gpt_neox", {neox_of, nullptr, {}}},
      {"llama", family_of_llama("llama")},
      {"mistral", family_of_llama("mistral")},
      {"qwen2", family_of_llama("qwen2")},
      {"qwen3", family_of_llama("qwen3")},
      {"roberta", family_of_bert("roberta")},
      {"mt5", {t5_of, published_t5, {"mt5-small", "mt5-base", "mt5-large", "mt5-xl", "mt5-xxl"}}},
      {"t5", {t5_of, published_t5, {"t5-small", "t5-base", "t5-large", "t5-xl", "t5-xxl"}}},
      {"umt5", {t5_of, published_t5, {"umt5-small", "umt5-base", "umt5-xl", "umt5-xxl"}}},
      {"xlm-roberta", family_of_bert("xlm-roberta")}};
  return kFamilies;
}

}  // namespace

std::vector<std::string> published_shapes() {
  std::vector<std::string> names;
  for (const auto& [type, family] : families()) names.insert(names.end(), family.shapes.begin(), family.shapes.end());
  return names;
}

std::unique_ptr<LanguageModel> made_up_model(const std::string& shape, Source source, Options options) {
  if (std::filesystem::is_directory(shape)) {
    const JsonFile json = JsonFile::open(std::filesystem::path(shape) / "config.json");
    const auto type = model_type_of(json);
    const auto found = families().find(type);
    require<UnsupportedError>(found != families().end(), "{}: model_type is '{}'; wanted one of {}", json.where(), type,
                              fmt::join(std::views::keys(families()), ", "));
    return found->second.from_config(json, std::move(source), std::move(options));
  }
  for (const auto& [type, family] : families()) {
    for (const auto& name : family.shapes) {
      if (name == shape) return family.published(shape, std::move(source), std::move(options));
    }
  }
  raise<ConfigError>("model shape: '{}' was given; wanted a folder with a config.json, or one of {}", shape,
                     fmt::join(published_shapes(), ", "));
}

}  // namespace preamble
