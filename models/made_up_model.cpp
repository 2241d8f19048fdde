#include "models/made_up_model.h"

#include <filesystem>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "models/bert/bert.h"
#include "models/t5/t5.h"

namespace preamble {
namespace {

/// Another source without its own head: the embedding serves as one.
class TiedSource final : public ParameterSource {
 public:
  explicit TiedSource(std::shared_ptr<const ParameterSource> source) : source_(std::move(source)) {}

  [[nodiscard]] bool contains(std::string_view name) const override { return name != "lm_head.weight" && source_->contains(name); }
  [[nodiscard]] Tensor get(std::string_view name, const Dims& dims, Dtype dtype) const override { return source_->get(name, dims, dtype); }
  [[nodiscard]] std::string where(std::string_view name) const override { return source_->where(name); }
  [[nodiscard]] std::vector<std::string> names() const override { return source_->names(); }

 private:
  std::shared_ptr<const ParameterSource> source_;
};

}  // namespace

std::unique_ptr<EncoderDecoder> made_up_model(const std::string& shape, std::shared_ptr<const ParameterSource> source,
                                              Parameters::Options options) {
  if (!std::filesystem::is_directory(shape)) {
    return std::make_unique<T5>(T5Config::published(shape), Parameters(std::move(source), std::move(options)));
  }
  const JsonFile json = JsonFile::open(std::filesystem::path(shape) / "config.json");
  const auto type = json.get<std::string>("model_type");
  require<UnsupportedError>(type == "t5", "{}: model_type is '{}'; wanted t5", json.where(), type);
  if (json.get<bool>("tie_word_embeddings", true)) source = std::make_shared<TiedSource>(std::move(source));
  return std::make_unique<T5>(T5Config::read(json), Parameters(std::move(source), std::move(options)));
}

std::unique_ptr<EncoderModel> made_up_encoder(const std::string& shape, std::shared_ptr<const ParameterSource> source, Parameters::Options options) {
  if (!std::filesystem::is_directory(shape)) {
    return std::make_unique<Bert>(BertConfig::published(shape), Parameters(std::move(source), std::move(options)));
  }
  const JsonFile json = JsonFile::open(std::filesystem::path(shape) / "config.json");
  const auto type = json.get<std::string>("model_type");
  require<UnsupportedError>(type == "bert" || type == "roberta", "{}: model_type is '{}'; wanted bert or roberta", json.where(), type);
  return std::make_unique<Bert>(BertConfig::read(json), Parameters(std::move(source), std::move(options)));
}

}  // namespace preamble
