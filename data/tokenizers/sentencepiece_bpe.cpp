#include "data/tokenizers/sentencepiece_bpe.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "data/tokenizers/families.h"
#include "data/tokenizers/models/bpe.h"
#include "data/tokenizers/normalizers/replacement.h"
#include "data/tokenizers/pre_tokenizers/metaspace.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// Two pieces whose concatenation is a piece.
struct ScoredMerge {
  MergeRule rule;
  double score = 0;
  std::size_t left_chars = 0, right_chars = 0;
};

/// Every way to make a piece of two: neighbours merge while their text is a piece, the highest score first.
[[nodiscard]] std::vector<MergeRule> merges_of(const SentencePieceModel& model, const Vocabulary& vocabulary) {
  std::vector<ScoredMerge> merges;
  for (const UnigramPiece& piece : model.pieces) {
    const std::size_t first = merges.size();
    const std::size_t chars = count_chars(piece.text);
    std::size_t left_chars = 0;
    for (std::size_t cut = 0; cut < piece.text.size();) {
      cut += decode_char(piece.text, cut).bytes;
      ++left_chars;
      if (cut == piece.text.size()) break;
      MergeRule rule = {piece.text.substr(0, cut), piece.text.substr(cut)};
      if (!vocabulary.find(rule.first) || !vocabulary.find(rule.second)) continue;
      merges.push_back({std::move(rule), piece.score, left_chars, chars - left_chars});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(), [&](const ScoredMerge& a, const ScoredMerge& b) {
      return std::pair(vocabulary.find(a.rule.first), vocabulary.find(a.rule.second)) <
             std::pair(vocabulary.find(b.rule.first), vocabulary.find(b.rule.second));
    });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const ScoredMerge& a, const ScoredMerge& b) {
    return std::tie(a.score, a.left_chars, a.right_chars) > std::tie(b.score, b.left_chars, b.right_chars);
  });
  std::vector<MergeRule> rules;
  rules.reserve(merges.size());
  for (ScoredMerge& merge : merges) rules.push_back(std::move(merge.rule));
  return rules;
}

/// Marks become spaces, byte tokens text; with `strip` the space that the mark in front left goes.
[[nodiscard]] std::unique_ptr<TokenDecoder> decoder(bool strip) {
  std::vector<std::unique_ptr<TokenDecoder>> parts;
  parts.push_back(std::make_unique<ReplaceDecoder>(Pattern::of_string(std::string(kWordMark)), " "));
  parts.push_back(std::make_unique<ByteFallbackDecoder>());
  parts.push_back(std::make_unique<FuseDecoder>());
  if (strip) parts.push_back(std::make_unique<StripDecoder>(" ", 1, 0));
  return std::make_unique<DecoderSequence>(std::move(parts));
}

/// Control pieces and user-defined ones are found in the text.
void add_own_tokens(const SentencePieceModel& model, TokenizerParts& parts) {
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const bool control = model.types[id] == PieceType::control || model.types[id] == PieceType::unknown;
    if (!control && model.types[id] != PieceType::user_defined) continue;
    parts.added.push_back({.content = model.pieces[id].text, .id = static_cast<std::int32_t>(id), .special = control});
  }
}

}  // namespace

TokenizerParts sentencepiece_bpe(const SentencePieceModel& model, const TokenizerConfig& config, TokenizerParts parts) {
  const bool gemma = config.is_class({"Gemma"}) || config.model_type.starts_with("gemma");
  require<UnsupportedError>(
      config.tokenizer_class.empty() || gemma || config.is_class({"Llama", "CodeLlama", "PreTrainedTokenizer", "TokenizersBackend"}),
      "{}: a SentencePiece model of {}; wanted its tokenizer.json", parts.vocabulary.origin(), config.tokenizer_class);
  for (std::size_t id = 0; id < model.pieces.size(); ++id) parts.vocabulary.add(model.pieces[id].text, static_cast<std::int64_t>(id));
  const std::string unknown = model.pieces[static_cast<std::size_t>(model.unknown)].text;
  const bool has_bytes = std::find(model.types.begin(), model.types.end(), PieceType::byte) != model.types.end();
  parts.model = std::make_unique<Bpe>(parts.vocabulary, merges_of(model, parts.vocabulary),
                                      BpeOptions{.unknown = unknown, .fuse_unknown = true, .byte_fallback = has_bytes});
  add_own_tokens(model, parts);
  add_special_tokens(parts, config, llama_names());
  const bool prefix = !gemma && config.add_prefix_space.value_or(true);
  const std::string mark(kWordMark);
  if (gemma || config.legacy.value_or(true)) {
    std::vector<std::unique_ptr<Normalizer>> normalizers;
    if (prefix) normalizers.push_back(std::make_unique<PrependNormalizer>(mark));
    normalizers.push_back(std::make_unique<ReplaceNormalizer>(Pattern::of_string(" "), mark));
    parts.normalizer = std::make_unique<NormalizerSequence>(std::move(normalizers));
  } else {
    parts.pre_tokenizer = std::make_unique<Metaspace>(mark, prefix ? PrependScheme::first : PrependScheme::never, false);
  }
  parts.decoder = decoder(prefix);
  parts.post_processor = each_between(config.add_bos_token.value_or(true) ? parts.special.bos : std::nullopt,
                                      config.add_eos_token.value_or(false) ? parts.special.eos : std::nullopt);
  return parts;
}

}  // namespace preamble
