#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/pre_tokenizers/byte_level.h"
#include "data/tokenizers/pre_tokenizers/metaspace.h"
#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "data/tokenizers/pre_tokenizers/splits.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using nlohmann::json;

[[nodiscard]] std::unique_ptr<PreTokenizer> pre_tokenizer_sequence(const json& value, std::string_view origin) {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  for (const json& part : value.at("pretokenizers")) {
    if (auto pre_tokenizer = read_pre_tokenizer(part, origin)) parts.push_back(std::move(pre_tokenizer));
  }
  return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

[[nodiscard]] std::unique_ptr<PreTokenizer> read_split(const json& value, std::string_view origin) {
  return std::make_unique<PatternSplit>(Pattern::from_json(value.at("pattern"), origin),
                                        split_behavior(value.at("behavior").get<std::string>(), origin), value.value("invert", false));
}

}  // namespace

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const json& value, std::string_view origin) {
  if (value.is_null()) return nullptr;
  const auto type = value.at("type").get<std::string>();
  if (type == "Sequence") return pre_tokenizer_sequence(value, origin);
  if (type == "ByteLevel") {
    return std::make_unique<ByteLevelPreTokenizer>(value.value("add_prefix_space", true), value.value("use_regex", true));
  }
  if (type == "Metaspace") {
    // old files write the mark as `str_rep`
    const auto mark = value.value("replacement", value.value("str_rep", "\u2581"));
    return std::make_unique<Metaspace>(mark, prepend_scheme_of(value, origin), value.value("split", true));
  }
  if (type == "Split") return read_split(value, origin);
  if (type == "BertPreTokenizer") return bert_pre_tokenizer();
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") return std::make_unique<ClassSplit>(CharClass::white_space, SplitBehavior::removed);
  if (type == "Punctuation") {
    return std::make_unique<ClassSplit>(CharClass::bert_punctuation, split_behavior(value.value("behavior", "Isolated"), origin));
  }
  if (type == "Digits") {
    const bool individual = value.value("individual_digits", false);
    return std::make_unique<ClassSplit>(CharClass::numeric, individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
  }
  if (type == "CharDelimiterSplit") {
    return std::make_unique<PatternSplit>(Pattern::of_string(value.at("delimiter").get<std::string>()), SplitBehavior::removed, false);
  }
  if (type == "FixedLength") {
    const auto length = value.value("length", std::int64_t{5});
    require<FileError>(length > 0, "{}: FixedLength of {} characters; wanted one at least", origin, length);
    return std::make_unique<FixedLength>(static_cast<std::size_t>(length));
  }
  raise<UnsupportedError>("{}: the pre-tokenizer {} is not built in", origin, type);
}

}  // namespace preamble
