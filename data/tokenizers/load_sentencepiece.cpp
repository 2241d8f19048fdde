#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/tokenizers/blank_tokens.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/models/unigram.h"
#include "data/tokenizers/normalizers/characters.h"
#include "data/tokenizers/normalizers/precompiled.h"
#include "data/tokenizers/normalizers/replacement.h"
#include "data/tokenizers/normalizers/unicode_form.h"
#include "data/tokenizers/pre_tokenizers/metaspace.h"
#include "data/tokenizers/pre_tokenizers/splits.h"
#include "data/tokenizers/sentencepiece_bpe.h"
#include "data/tokenizers/sentencepiece_model.h"
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

void add_pieces(const std::vector<UnigramPiece>& pieces, Vocabulary& vocabulary) {
  for (std::size_t id = 0; id < pieces.size(); ++id) vocabulary.add(pieces[id].text, static_cast<std::int64_t>(id));
}

/// Words are split at white space, and each begins with a mark.
[[nodiscard]] std::unique_ptr<PreTokenizer> marked_words(bool add_prefix_space) {
  std::vector<std::unique_ptr<PreTokenizer>> splits;
  splits.push_back(std::make_unique<ClassSplit>(CharClass::white_space, SplitBehavior::removed));
  splits.push_back(std::make_unique<Metaspace>(std::string(kWordMark), add_prefix_space ? PrependScheme::always : PrependScheme::never, true));
  return std::make_unique<PreTokenizerSequence>(std::move(splits));
}

void use_charsmap(const SentencePieceModel& model, TokenizerParts& parts) {
  if (model.charsmap.empty()) return;
  parts.normalizer = std::make_unique<PrecompiledNormalizer>(Charsmap(model.charsmap, parts.vocabulary.origin()));
}

[[nodiscard]] TokenizerParts t5(SentencePieceModel model, const TokenizerConfig& config, TokenizerParts parts) {
  add_pieces(model.pieces, parts.vocabulary);
  add_extra_ids(config.extra_ids.value_or(kDefaultExtraIds), parts, model.pieces);
  parts.model = std::make_unique<Unigram>(model.pieces, model.unknown);
  add_special_tokens(parts, config, t5_names());
  use_charsmap(model, parts);
  parts.pre_tokenizer = marked_words(true);
  parts.decoder = std::make_unique<MetaspaceDecoder>(std::string(kWordMark), true);
  const std::int32_t eos = needed(parts.special.eos, "eos", parts);
  parts.post_processor = surrounding({}, {eos}, {eos});
  return parts;
}

/// DeBERTa-v2: transformers 5 normalises without the file's charsmap.
[[nodiscard]] TokenizerParts deberta(const SentencePieceModel& model, const TokenizerConfig& config, TokenizerParts parts) {
  const std::string& origin = parts.vocabulary.origin();
  add_pieces(model.pieces, parts.vocabulary);
  parts.model = std::make_unique<Unigram>(model.pieces, model.unknown);
  // the files have no mask; where none of them gives it an id, it gets the first one above the others
  const std::string mask = config.name_of("mask", bert_names());
  const bool listed = std::any_of(config.added.begin(), config.added.end(), [&](const AddedToken& token) { return token.content == mask; });
  if (!listed && !parts.vocabulary.find(mask)) parts.added.push_back({mask, static_cast<std::int32_t>(parts.vocabulary.size())});
  add_special_tokens(parts, config, bert_names());
  std::vector<std::unique_ptr<Normalizer>> normalizers;
  if (config.do_lower_case.value_or(false)) normalizers.push_back(std::make_unique<LowercaseNormalizer>());
  normalizers.push_back(std::make_unique<ReplaceNormalizer>(Pattern::of_regex(R"(\s{2,}|[\n\r\t])", origin), " "));
  normalizers.push_back(std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfc));
  normalizers.push_back(std::make_unique<StripNormalizer>(false, true));
  parts.normalizer = std::make_unique<NormalizerSequence>(std::move(normalizers));
  std::vector<std::unique_ptr<PreTokenizer>> splits;
  if (config.split_by_punct.value_or(false)) {
    splits.push_back(std::make_unique<ClassSplit>(CharClass::bert_punctuation, SplitBehavior::isolated));
  }
  const auto scheme = config.add_prefix_space.value_or(true) ? PrependScheme::always : PrependScheme::first;
  splits.push_back(std::make_unique<Metaspace>(std::string(kWordMark), scheme, true));
  parts.pre_tokenizer = std::make_unique<PreTokenizerSequence>(std::move(splits));
  parts.decoder = std::make_unique<MetaspaceDecoder>(std::string(kWordMark), true);
  const std::int32_t sep = needed(parts.special.sep, "sep", parts);
  parts.post_processor = surrounding({needed(parts.special.cls, "cls", parts)}, {sep}, {sep}, 1);
  return parts;
}

/// XLM-RoBERTa has fairseq's ids: `<s> <pad> </s> <unk>`, then the pieces from the fourth on, then the mask.
[[nodiscard]] TokenizerParts xlm_roberta(const SentencePieceModel& model, const TokenizerConfig& config, TokenizerParts parts) {
  std::vector<UnigramPiece> pieces;
  for (const char* role : {"bos", "pad", "eos", "unk"}) pieces.push_back({config.name_of(role, roberta_names()), 0});
  const auto unknown = static_cast<std::int32_t>(pieces.size()) - 1;
  constexpr std::size_t kOwnSpecial = 3;
  if (model.pieces.size() > kOwnSpecial) pieces.insert(pieces.end(), model.pieces.begin() + kOwnSpecial, model.pieces.end());
  pieces.push_back({config.name_of("mask", roberta_names()), 0});
  add_pieces(pieces, parts.vocabulary);
  parts.model = std::make_unique<Unigram>(pieces, unknown);
  add_special_tokens(parts, config, roberta_names());
  mark_mask_as_lstrip(parts);
  use_charsmap(model, parts);
  const bool add_prefix_space = config.add_prefix_space.value_or(true);
  parts.pre_tokenizer = marked_words(add_prefix_space);
  parts.decoder = std::make_unique<MetaspaceDecoder>(std::string(kWordMark), add_prefix_space);
  const std::int32_t eos = needed(parts.special.eos, "eos", parts);
  parts.post_processor = surrounding({needed(parts.special.bos, "bos", parts)}, {eos, eos}, {eos});
  return parts;
}

/// GLM in Chinese: T5's words, and the tokens of blanks above the pieces.
[[nodiscard]] TokenizerParts glm(const SentencePieceModel& model, const TokenizerConfig& config, TokenizerParts parts) {
  add_pieces(model.pieces, parts.vocabulary);
  parts.model = std::make_unique<Unigram>(model.pieces, model.unknown);
  add_special_tokens(parts, config, {});
  use_charsmap(model, parts);
  parts.pre_tokenizer = marked_words(true);
  parts.decoder = std::make_unique<MetaspaceDecoder>(std::string(kWordMark), true);
  return parts;
}

[[nodiscard]] bool names_pieces(const TokenizerConfig& config) {
  return std::any_of(config.added.begin(), config.added.end(), [](const AddedToken& token) { return token.content == "<|startofpiece|>"; });
}

enum class Family : std::uint8_t { t5, deberta, xlm_roberta, glm };

/// By the class, else by the model, else by what the file holds.
[[nodiscard]] Family family_of(const std::filesystem::path& path, const TokenizerConfig& config, const SentencePieceModel& model) {
  if (names_pieces(config)) return Family::glm;
  if (config.is_class({"DebertaV2", "DebertaV3"})) return Family::deberta;
  if (config.is_class({"XLMRoberta", "XLMR"})) return Family::xlm_roberta;
  if (config.is_class({"T5", "MT5", "UMT5", "ByT5"})) return Family::t5;
  require<UnsupportedError>(config.tokenizer_class.empty() || config.is_class({"PreTrainedTokenizer", "TokenizersBackend"}),
                            "{}: a SentencePiece model of {}; wanted its tokenizer.json", path.string(), config.tokenizer_class);
  if (config.model_type == "deberta-v2") return Family::deberta;
  if (config.model_type.starts_with("xlm-roberta") || path.filename() == "sentencepiece.bpe.model") return Family::xlm_roberta;
  const auto has = [&](std::string_view text) {
    return std::any_of(model.pieces.begin(), model.pieces.end(), [&](const UnigramPiece& piece) { return piece.text == text; });
  };
  const bool bert_like = config.model_type != "t5" && config.model_type != "mt5" && has("[CLS]") && has("[SEP]");
  return bert_like ? Family::deberta : Family::t5;
}

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& path, const TokenizerConfig& config) {
  SentencePieceModel model = read_sentencepiece_model(path);
  TokenizerParts parts{.vocabulary = Vocabulary(path.string())};
  if (model.is_bpe) {
    parts = sentencepiece_bpe(model, config, std::move(parts));
    if (mark_blank_tokens(parts, MaskSpace::kept)) frame_as_glm(parts);
    follow_clean_up(parts, config);
    return std::make_unique<Tokenizer>(std::move(parts));
  }
  switch (family_of(path, config, model)) {
    case Family::t5: parts = t5(std::move(model), config, std::move(parts)); break;
    case Family::deberta: parts = deberta(model, config, std::move(parts)); break;
    case Family::xlm_roberta: parts = xlm_roberta(model, config, std::move(parts)); break;
    case Family::glm: parts = glm(model, config, std::move(parts)); break;
  }
  if (mark_blank_tokens(parts, MaskSpace::kept)) frame_as_glm(parts);
  follow_bos_and_eos(parts, config);
  follow_clean_up(parts, config);
  return std::make_unique<Tokenizer>(std::move(parts));
}

}  // namespace preamble
