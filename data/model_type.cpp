#include "data/model_type.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// How names of classes begin; a beginning of another stands behind it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kClasses = {{{"XLMRoberta", "xlm-roberta"},
                                                                                     {"Roberta", "roberta"},
                                                                                     {"DistilBert", "distilbert"},
                                                                                     {"Electra", "electra"},
                                                                                     {"DebertaV2", "deberta-v2"},
                                                                                     {"Deberta", "deberta"},
                                                                                     {"Bert", "bert"},
                                                                                     {"UMT5", "umt5"},
                                                                                     {"MT5", "mt5"},
                                                                                     {"T5", "t5"},
                                                                                     {"MBart", "mbart"},
                                                                                     {"Bart", "bart"},
                                                                                     {"GPT2", "gpt2"},
                                                                                     {"GPTNeoX", "gpt_neox"},
                                                                                     {"Llama", "llama"},
                                                                                     {"Mistral", "mistral"},
                                                                                     {"Qwen2", "qwen2"},
                                                                                     {"Qwen3", "qwen3"},
                                                                                     {"GLM", "glm"},
                                                                                     {"Gemma", "gemma"}}};

}  // namespace

std::string model_type_of(const JsonFile& config, std::optional<std::string> otherwise) {
  if (const auto type = config.find<std::string>("model_type")) return *type;
  const auto names = config.find<std::vector<std::string>>("architectures").value_or(std::vector<std::string>());
  if (!names.empty()) {
    // the class goes on with `For`, `Model` or the like: `Gemma2ForCausalLM` is no Gemma
    const auto* found = std::ranges::find_if(kClasses, [&](const auto& entry) {
      const std::string_view name = names.front();
      return name.starts_with(entry.first) && name.size() > entry.first.size() && (name[entry.first.size()] < '0' || name[entry.first.size()] > '9');
    });
    if (found != kClasses.end()) return std::string(found->second);
  }
  if (otherwise) return *otherwise;
  if (!names.empty()) {
    raise<FileError>("{}: no 'model_type', and the class '{}' is not known; wanted a model_type", config.where(), names.front());
  }
  return config.get<std::string>("model_type");
}

}  // namespace preamble
