#include "data/tokenizers/gguf_vocabulary.h"

#include <algorithm>

#include <fmt/format.h>

namespace preamble {

GgufVocabulary::GgufVocabulary(const GgufFile& file) : file_(file), tokens_(get<std::vector<std::string>>("tokens")) {}

const nlohmann::json* GgufVocabulary::find(std::string_view key) const {
  const auto found = file_.facts().find(fmt::format("tokenizer.ggml.{}", key));
  return found == file_.facts().end() ? nullptr : &*found;
}

std::vector<GgufTokenType> GgufVocabulary::types() const {
  const auto numbers = get<std::vector<std::int64_t>>("token_type");
  require<FileError>(numbers.size() == tokens_.size(), "{}: {} tokens and {} types; wanted equal numbers", where(), tokens_.size(), numbers.size());
  std::vector<GgufTokenType> types;
  for (const auto number : numbers) {
    require<FileError>(number >= 1 && number <= 6, "{}: token {} has the type {}; wanted 1 to 6", where(), types.size(), number);
    types.push_back(static_cast<GgufTokenType>(number));
  }
  return types;
}

std::vector<float> GgufVocabulary::scores() const {
  auto scores = get<std::vector<float>>("scores");
  require<FileError>(scores.size() == tokens_.size(), "{}: {} tokens and {} scores; wanted equal numbers", where(), tokens_.size(), scores.size());
  return scores;
}

std::string GgufVocabulary::architecture() const {
  const auto found = file_.facts().find("general.architecture");
  return found == file_.facts().end() || !found->is_string() ? "" : found->get<std::string>();
}

std::optional<std::size_t> GgufVocabulary::id(std::string_view role) const {
  if (!has(role)) return std::nullopt;
  const auto id = get<std::uint64_t>(role);
  require<FileError>(id < tokens_.size(), "{}: 'tokenizer.ggml.{}' is {}; wanted a number below {}", where(), role, id, tokens_.size());
  return id;
}

}  // namespace preamble
