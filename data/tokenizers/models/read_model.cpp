#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/models/bpe.h"
#include "data/tokenizers/models/token_model.h"
#include "data/tokenizers/models/unigram.h"
#include "data/tokenizers/models/word_level.h"
#include "data/tokenizers/models/wordpiece.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using nlohmann::json;

/// Old files have no `model.type`; the keys tell.
[[nodiscard]] std::string type_of(const json& model) {
  if (model.contains("type")) return model.at("type").get<std::string>();
  if (model.contains("merges")) return "BPE";
  return model.at("vocab").is_array() && model.contains("unk_id") ? "Unigram" : "WordPiece";
}

/// A string, or nothing for null and for a key that is not there.
[[nodiscard]] std::optional<std::string> optional_text(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<std::string>();
}

void add_tokens(const json& model, Vocabulary& vocabulary) {
  for (const auto& [token, id] : model.at("vocab").items()) vocabulary.add(token, id.get<std::int64_t>());
}

/// `"a b"` or `["a", "b"]`
[[nodiscard]] MergeRule merge_rule(const json& entry, const std::string& origin) {
  if (entry.is_array()) return {entry.at(0).get<std::string>(), entry.at(1).get<std::string>()};
  const auto text = entry.get<std::string>();
  const std::size_t space = text.find(' ');
  require<FileError>(space != std::string::npos, "{}: merge '{}'; wanted two tokens with a space between", origin, text);
  return {text.substr(0, space), text.substr(space + 1)};
}

[[nodiscard]] std::unique_ptr<TokenModel> read_bpe(const json& model, Vocabulary& vocabulary) {
  add_tokens(model, vocabulary);
  std::vector<MergeRule> rules;
  for (const json& entry : model.at("merges")) rules.push_back(merge_rule(entry, vocabulary.origin()));
  const auto dropout = model.find("dropout");
  if (dropout != model.end() && !dropout->is_null() && *dropout != 0) {
    warn(fmt::format("{}: the model's dropout {} is ignored; texts are always merged fully", vocabulary.origin(), dropout->dump()));
  }
  return std::make_unique<Bpe>(vocabulary, rules,
                               BpeOptions{.unknown = optional_text(model, "unk_token"),
                                          .fuse_unknown = model.value("fuse_unk", false),
                                          .byte_fallback = model.value("byte_fallback", false),
                                          .ignore_merges = model.value("ignore_merges", false),
                                          .continuing_prefix = optional_text(model, "continuing_subword_prefix").value_or(""),
                                          .end_suffix = optional_text(model, "end_of_word_suffix").value_or("")});
}

[[nodiscard]] std::unique_ptr<TokenModel> read_unigram(const json& model, Vocabulary& vocabulary) {
  std::vector<UnigramPiece> pieces;
  for (const json& entry : model.at("vocab")) {
    pieces.push_back({entry.at(0).get<std::string>(), entry.at(1).get<double>()});
    vocabulary.add(pieces.back().text, static_cast<std::int64_t>(pieces.size()) - 1);
  }
  const auto unknown = model.at("unk_id").get<std::int64_t>();
  require<FileError>(unknown >= 0 && static_cast<std::size_t>(unknown) < pieces.size(), "{}: unk_id {}; wanted 0 to {}", vocabulary.origin(),
                     unknown, static_cast<std::int64_t>(pieces.size()) - 1);
  return std::make_unique<Unigram>(pieces, static_cast<std::int32_t>(unknown), model.value("byte_fallback", false));
}

[[nodiscard]] std::unique_ptr<TokenModel> read_wordpiece(const json& model, Vocabulary& vocabulary) {
  add_tokens(model, vocabulary);
  WordPieceOptions options;
  options.unknown = model.value("unk_token", options.unknown);
  options.continuation = model.value("continuing_subword_prefix", options.continuation);
  options.longest_word = model.value("max_input_chars_per_word", options.longest_word);
  return std::make_unique<WordPiece>(vocabulary, std::move(options));
}

}  // namespace

std::unique_ptr<TokenModel> read_model(const json& value, Vocabulary& vocabulary) {
  const std::string type = type_of(value);
  if (type == "BPE") return read_bpe(value, vocabulary);
  if (type == "Unigram") return read_unigram(value, vocabulary);
  if (type == "WordPiece") return read_wordpiece(value, vocabulary);
  if (type == "WordLevel") {
    add_tokens(value, vocabulary);
    return std::make_unique<WordLevel>(vocabulary, value.value("unk_token", "[UNK]"));
  }
  raise<UnsupportedError>("{}: a tokenizer of type '{}'; wanted Unigram, BPE, WordPiece or WordLevel", vocabulary.origin(), type);
}

}  // namespace preamble
