#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/base64.h"
#include "data/tokenizers/normalizers/bert.h"
#include "data/tokenizers/normalizers/characters.h"
#include "data/tokenizers/normalizers/normalizer.h"
#include "data/tokenizers/normalizers/precompiled.h"
#include "data/tokenizers/normalizers/replacement.h"
#include "data/tokenizers/normalizers/unicode_form.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using nlohmann::json;

[[nodiscard]] std::unique_ptr<Normalizer> read_bert(const json& value) {
  BertNormalizerOptions options;
  options.clean_text = value.value("clean_text", true);
  options.handle_chinese_chars = value.value("handle_chinese_chars", true);
  options.lowercase = value.value("lowercase", true);
  const auto strip = value.find("strip_accents");
  options.strip_accents = strip == value.end() || strip->is_null() ? options.lowercase : strip->get<bool>();
  return std::make_unique<BertNormalizer>(options);
}

[[nodiscard]] std::unique_ptr<Normalizer> normalizer_sequence(const json& value, std::string_view origin) {
  std::vector<std::unique_ptr<Normalizer>> parts;
  for (const json& part : value.at("normalizers")) {
    if (auto normalizer = read_normalizer(part, origin)) parts.push_back(std::move(normalizer));
  }
  return std::make_unique<NormalizerSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const json& value, std::string_view origin) {
  if (value.is_null()) return nullptr;
  const auto type = value.at("type").get<std::string>();
  if (type == "Sequence") return normalizer_sequence(value, origin);
  if (type == "BertNormalizer") return read_bert(value);
  if (type == "NFC") return std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfc);
  if (type == "NFD") return std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfd);
  if (type == "NFKC") return std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfkc);
  if (type == "NFKD") return std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfkd);
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "StripAccents") return std::make_unique<StripAccents>();
  if (type == "Strip") return std::make_unique<StripNormalizer>(value.value("strip_left", true), value.value("strip_right", true));
  if (type == "Nmt") return std::make_unique<Nmt>();
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  if (type == "Prepend") return std::make_unique<PrependNormalizer>(value.at("prepend").get<std::string>());
  if (type == "Replace") {
    return std::make_unique<ReplaceNormalizer>(Pattern::from_json(value.at("pattern"), origin), value.at("content").get<std::string>());
  }
  if (type == "Precompiled") {
    const json& map = value.at("precompiled_charsmap");
    const std::string blob = map.is_null() ? std::string() : decode_base64(map.get<std::string>(), std::string(origin));
    return std::make_unique<PrecompiledNormalizer>(Charsmap(blob, origin));
  }
  raise<UnsupportedError>("{}: the normalizer {} is not built in", origin, type);
}

}  // namespace preamble
