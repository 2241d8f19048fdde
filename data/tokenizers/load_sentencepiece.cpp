#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/tokenizers/families.h"
#include "data/tokenizers/sentencepiece_model.h"
#include "data/tokenizers/unigram_tokenizer.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::int64_t kDefaultExtraIds = 100;
constexpr std::int64_t kMostExtraIds = 10'000;

/// T5's sentinels, above the pieces of the file: `<extra_id_99>` first, `<extra_id_0>` last. Their score is 0.
void add_extra_ids(std::int64_t count, TokenizerParts& parts, std::vector<UnigramPiece>& pieces) {
  require<FileError>(count >= 0 && count <= kMostExtraIds, "{}: extra_ids {}; wanted 0 to {}", parts.vocabulary.origin(), count,
                     kMostExtraIds);
  for (std::int64_t k = count - 1; k >= 0; --k) {
    const std::string token = fmt::format("<extra_id_{}>", k);
    if (!parts.vocabulary.find(token)) {
      parts.vocabulary.add(token, static_cast<std::int64_t>(pieces.size()));
      pieces.push_back({token, 0});
    }
    parts.added.push_back({token, *parts.vocabulary.find(token)});
  }
}

/// DeBERTa's files have no mask; transformers gives it the first id above the others.
void add_missing_mask(TokenizerParts& parts) {
  if (parts.special.mask) return;
  const auto id = static_cast<std::int32_t>(parts.vocabulary.size());
  const std::string& token = bert_names().at("mask");
  parts.vocabulary.add(token, id);
  parts.added.push_back({token, id});
  parts.special.mask = id;
}

[[nodiscard]] bool is_deberta(const TokenizerConfig& config, const Vocabulary& vocabulary) {
  if (config.tokenizer_class.starts_with("DebertaV2") || config.model_type == "deberta-v2") return true;
  if (config.tokenizer_class.starts_with("T5") || config.model_type == "t5") return false;
  return vocabulary.find("[CLS]") && vocabulary.find("[SEP]");
}

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& path, const TokenizerConfig& config) {
  SentencePieceModel model = read_sentencepiece_model(path);
  const std::string origin = path.string();
  TokenizerParts parts{.vocabulary = Vocabulary(origin), .added = {}, .special = {}, .layout = {}};
  for (std::size_t id = 0; id < model.pieces.size(); ++id) parts.vocabulary.add(model.pieces[id].text, static_cast<std::int64_t>(id));
  const bool deberta = is_deberta(config, parts.vocabulary);
  if (!deberta) add_extra_ids(config.extra_ids.value_or(kDefaultExtraIds), parts, model.pieces);
  add_special_tokens(parts, config, deberta ? bert_names() : t5_names());
  if (deberta) add_missing_mask(parts);
  parts.layout = deberta ? bert_layout(parts.special, origin) : t5_layout(parts.special, origin);
  require<UnsupportedError>(!config.split_by_punct.value_or(false), "{}: split_by_punct; wanted a tokenizer without it", origin);
  return std::make_unique<UnigramTokenizer>(
      std::move(parts), Unigram(model.pieces, model.unknown), Charsmap(model.charsmap, origin),
      UnigramOptions{.lowercase = deberta && config.do_lower_case.value_or(false), .mark_is_space = deberta});
}

}  // namespace preamble
