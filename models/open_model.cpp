#include "models/open_model.h"

#include <map>
#include <string>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "models/bart/bart.h"
#include "models/bert/bert.h"
#include "models/deberta/deberta.h"
#include "models/gpt2/gpt2.h"
#include "models/t5/t5.h"

namespace preamble {
namespace {

using Folder = std::filesystem::path;

/// Opens the model that config.json names, among those of one family.
template <class Family>
std::unique_ptr<Family> open_among(const std::map<std::string, std::unique_ptr<Family> (*)(const Folder&, Parameters::Options)>& known,
                                   const Folder& folder, Parameters::Options options) {
  const JsonFile json = JsonFile::open(folder / "config.json");
  const auto type = json.get<std::string>("model_type");
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

}  // namespace

std::unique_ptr<LanguageModel> open_model(const Folder& folder, Parameters::Options options) {
  return open_among<LanguageModel>({{"bart", open_one<LanguageModel, Bart>},
                                    {"bert", open_one<LanguageModel, Bert>},
                                    {"deberta-v2", open_one<LanguageModel, Deberta>},
                                    {"distilbert", open_one<LanguageModel, Bert>},
                                    {"electra", open_one<LanguageModel, Bert>},
                                    {"gpt2", open_one<LanguageModel, Gpt2>},
                                    {"mt5", open_one<LanguageModel, T5>},
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
