#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/decoders/decoder.h"
#include "data/tokenizers/pre_tokenizers/metaspace.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using nlohmann::json;

[[nodiscard]] std::unique_ptr<TokenDecoder> decoder_sequence(const json& value, std::string_view origin) {
  std::vector<std::unique_ptr<TokenDecoder>> parts;
  for (const json& part : value.at("decoders")) {
    if (auto decoder = read_decoder(part, origin)) parts.push_back(std::move(decoder));
  }
  return std::make_unique<DecoderSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<TokenDecoder> read_decoder(const json& value, std::string_view origin) {
  if (value.is_null()) return nullptr;
  const auto type = value.at("type").get<std::string>();
  if (type == "Sequence") return decoder_sequence(value, origin);
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "WordPiece") return std::make_unique<WordPieceDecoder>(value.value("prefix", "##"), value.value("cleanup", true));
  if (type == "Metaspace") {
    const auto mark = value.value("replacement", value.value("str_rep", "\u2581"));
    return std::make_unique<MetaspaceDecoder>(mark, prepend_scheme_of(value, origin) != PrependScheme::never);
  }
  if (type == "BPEDecoder") return std::make_unique<SuffixDecoder>(value.value("suffix", "</w>"));
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Fuse") return std::make_unique<FuseDecoder>();
  if (type == "Strip") {
    const auto content = value.at("content").get<std::string>();
    require<FileError>(!content.empty(), "{}: a Strip decoder of nothing; wanted a character", origin);
    return std::make_unique<StripDecoder>(content, value.value("start", std::size_t{0}), value.value("stop", std::size_t{0}));
  }
  if (type == "Replace") {
    return std::make_unique<ReplaceDecoder>(Pattern::from_json(value.at("pattern"), origin), value.at("content").get<std::string>());
  }
  raise<UnsupportedError>("{}: the decoder {} is not built in", origin, type);
}

}  // namespace preamble
