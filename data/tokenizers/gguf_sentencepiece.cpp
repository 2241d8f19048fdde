#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/gguf_vocabulary.h"

namespace preamble {
namespace {

/// Fields of a protocol buffer.
class Message {
 public:
  void number(std::uint32_t field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
  }
  void real(std::uint32_t field, float value) {
    varint(field << 3U | 5U);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFFU);
  }
  void text(std::uint32_t field, std::string_view value) {
    varint(field << 3U | 2U);
    varint(value.size());
    bytes_ += value;
  }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// Merges go by the scores of pieces. The converter gives all pieces one score where it had no SentencePiece model.
void require_order(const GgufVocabulary& vocabulary, const std::vector<float>& scores, const std::vector<GgufTokenType>& types) {
  std::optional<float> first;
  bool differ = false;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (types[i] != GgufTokenType::normal) continue;
    differ = differ || (first && *first != scores[i]);
    if (!first) first = scores[i];
  }
  require<UnsupportedError>(differ, "{}: all pieces of the tokenizer have one score; wanted scores that order its merges", vocabulary.where());
}

/// Pieces in front of what the converter puts behind them: sentinels and unused tokens that fill the embedding up.
std::size_t own_pieces(const GgufVocabulary& vocabulary, const std::vector<GgufTokenType>& types, bool sentinels) {
  std::size_t pieces = types.size();
  const auto foreign = [&](std::size_t i) {
    return types[i] == GgufTokenType::unused || (sentinels && vocabulary.tokens()[i].starts_with("<extra_id_"));
  };
  while (pieces > 0 && foreign(pieces - 1)) --pieces;
  return pieces;
}

}  // namespace

SentencePieceFile gguf_sentencepiece(const GgufVocabulary& vocabulary, bool bpe) {
  const auto scores = vocabulary.scores();
  const auto types = vocabulary.types();
  if (bpe) require_order(vocabulary, scores, types);
  SentencePieceFile file;
  const std::size_t pieces = own_pieces(vocabulary, types, !bpe);
  file.extra_ids = static_cast<std::size_t>(
      std::count_if(types.begin() + static_cast<std::ptrdiff_t>(pieces), types.end(), [](auto type) { return type != GgufTokenType::unused; }));
  Message model, trainer, normalizer;
  for (std::size_t i = 0; i < pieces; ++i) {
    Message piece;
    piece.text(1, vocabulary.tokens()[i]);
    piece.real(2, scores[i]);
    piece.number(3, static_cast<std::uint64_t>(types[i]));  // both formats number the types alike
    model.text(1, piece.bytes());
  }
  trainer.number(3, bpe ? 2 : 1);
  trainer.number(40, vocabulary.get<std::uint64_t>("unknown_token_id", bpe ? 0 : 2));
  trainer.number(42, vocabulary.get<std::uint64_t>("eos_token_id", bpe ? 2 : 1));
  if (!bpe) trainer.number(43, vocabulary.get<std::uint64_t>("padding_token_id", 0));
  model.text(2, trainer.bytes());
  std::string charsmap;
  for (const auto byte : vocabulary.get<std::vector<std::int64_t>>("precompiled_charsmap", std::vector<std::int64_t>{}))
    charsmap += static_cast<char>(byte);
  normalizer.text(2, charsmap);
  normalizer.number(3, vocabulary.get<bool>("add_space_prefix", true) ? 1 : 0);
  normalizer.number(4, vocabulary.get<bool>("remove_extra_whitespaces", !bpe) ? 1 : 0);
  normalizer.number(5, 1);
  model.text(3, normalizer.bytes());
  file.bytes = model.bytes();
  return file;
}

}  // namespace preamble
