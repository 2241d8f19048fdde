#include "models/open_model.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/json_file.h"
#include "data/model_type.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "models/bart/bart.h"
#include "models/bert/bert.h"
#include "models/causal_encoder.h"
#include "models/deberta/deberta.h"
#include "models/glm/glm.h"
#include "models/gpt2/gpt2.h"
#include "models/gpt_neox/gpt_neox.h"
#include "models/llama/llama.h"
#include "models/t5/t5.h"

namespace preamble {
namespace {

using Folder = std::filesystem::path;

/// Opens the model that config.json names, among those of one family.
template <class Family>
std::unique_ptr<Family> open_among(const std::map<std::string, std::unique_ptr<Family> (*)(const Folder&, Parameters::Options)>& known,
                                   const Folder& folder, Parameters::Options options) {
  const JsonFile json = JsonFile::open(folder / "config.json");
  const auto type = model_type_of(json);
  const auto found = known.find(type);
  if (found == known.end()) {
    std::string names;
    for (const auto& [name, open] : known) names += (names.empty() ? "" : ", ") + name;
    raise<UnsupportedError>("{}: model_type is '{}'; wanted one of {}", json.where(), type, names);
  }
  return found->second(folder, std::move(options));
}

/// `Model::open` as a function that returns the family's base.
template <class Family, class Model>
std::unique_ptr<Family> open_one(const Folder& folder, Parameters::Options options) {
  return Model::open(folder, std::move(options));
}

/// What the action warns of, unsaid.
template <class Action>
std::vector<std::string> warnings_of(const Action& action) {
  const WarningCapture capture;
  action();
  return capture.messages();
}

/// Whether a tensor belongs to a head of transformers' classes on decoders.
bool is_of_head(std::string_view name) {
  constexpr std::array<std::string_view, 3> kHeads = {"score.", "classifier.", "qa_outputs."};
  return std::ranges::any_of(kHeads, [&](std::string_view head) { return name.starts_with(head); });
}

/// A decoder-only model for heads.
template <class Model>
std::unique_ptr<EncoderModel> open_decoder(const Folder& folder, Parameters::Options options) {
  std::unique_ptr<EncoderModel> model;
  const auto messages = warnings_of([&] { model = std::make_unique<CausalEncoder>(Model::open(folder, std::move(options))); });
  // the decoder alone knows no heads: what it says of unknown tensors is said anew, without those that are read later
  Parameters& parameters = model->parameters();
  const auto of_unknown = warnings_of([&] { parameters.warn_of_unknown(); });
  for (const auto& message : messages) {
    // nor is the language model's head read
    if (std::ranges::find(of_unknown, message) == of_unknown.end() && message.find(kEmbeddingAsHead) == std::string::npos) warn(message);
  }
  for (const auto& name : parameters.names()) {
    if (is_of_head(name)) parameters.tolerate(name);
  }
  parameters.warn_of_unknown();
  return model;
}

}  // namespace

std::unique_ptr<LanguageModel> open_model(const Folder& folder, Parameters::Options options) {
  return open_among<LanguageModel>({{"bart", open_one<LanguageModel, Bart>},
                                    {"bert", open_one<LanguageModel, Bert>},
                                    {"deberta-v2", open_one<LanguageModel, Deberta>},
                                    {"distilbert", open_one<LanguageModel, Bert>},
                                    {"electra", open_one<LanguageModel, Bert>},
                                    {"gemma", open_one<LanguageModel, Llama>},
                                    {"glm", open_one<LanguageModel, Glm>},
                                    {"gpt2", open_one<LanguageModel, Gpt2>},
                                    {"gpt_neox", open_one<LanguageModel, GptNeox>},
                                    {"llama", open_one<LanguageModel, Llama>},
                                    {"mistral", open_one<LanguageModel, Llama>},
                                    {"mt5", open_one<LanguageModel, T5>},
                                    {"qwen2", open_one<LanguageModel, Llama>},
                                    {"qwen3", open_one<LanguageModel, Llama>},
                                    {"roberta", open_one<LanguageModel, Bert>},
                                    {"t5", open_one<LanguageModel, T5>},
                                    {"umt5", open_one<LanguageModel, T5>},
                                    {"xlm-roberta", open_one<LanguageModel, Bert>}},
                                   folder, std::move(options));
}

std::unique_ptr<EncoderModel> open_encoder(const Folder& folder, Parameters::Options options) {
  return open_among<EncoderModel>({{"bert", open_one<EncoderModel, Bert>},
                                    {"deberta-v2", open_one<EncoderModel, Deberta>},
                                    {"distilbert", open_one<EncoderModel, Bert>},
                                    {"electra", open_one<EncoderModel, Bert>},
                                    {"gemma", open_decoder<Llama>},
                                    {"glm", open_one<EncoderModel, Glm>},
                                    {"gpt2", open_decoder<Gpt2>},
                                    {"gpt_neox", open_decoder<GptNeox>},
                                    {"llama", open_decoder<Llama>},
                                    {"mistral", open_decoder<Llama>},
                                    {"qwen2", open_decoder<Llama>},
                                    {"qwen3", open_decoder<Llama>},
                                    {"roberta", open_one<EncoderModel, Bert>},
                                    {"xlm-roberta", open_one<EncoderModel, Bert>}},
                                   folder, std::move(options));
}

std::unique_ptr<EncoderDecoder> open_encoder_decoder(const Folder& folder, Parameters::Options options) {
  return open_among<EncoderDecoder>({{"bart", open_one<EncoderDecoder, Bart>},
                                      {"mt5", open_one<EncoderDecoder, T5>},
                                      {"t5", open_one<EncoderDecoder, T5>},
                                      {"umt5", open_one<EncoderDecoder, T5>}},
                                     folder, std::move(options));
}

}  // namespace preamble
