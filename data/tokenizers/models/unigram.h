// The unigram language model of SentencePiece (Kudo 2018, "Subword regularization", section 3.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/models/token_model.h"
#include "data/tokenizers/prefix_trie.h"

namespace preamble {

/// A piece with its log probability.
struct UnigramPiece {
  std::string text;
  double score = 0;
};

/// Splits words into the pieces with the largest sum of scores.
class Unigram final : public TokenModel {
 public:
  /// Piece i has the id i; `unknown` is the id for what no piece covers. With `byte_fallback` that becomes the pieces `<0xHH>` of its bytes
  /// instead, if there are all.
  Unigram(std::span<const UnigramPiece> pieces, std::int32_t unknown, bool byte_fallback = false);

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override;

  using Segment = ModelToken;

  /// Memory that calls share; one for each thread.
  struct Scratch {
    struct Node {
      double score;
      std::int32_t id;
      std::size_t begin;
    };
    std::vector<Node> best;
    std::vector<Segment> segments;
  };

  /// The best segmentation of a word in valid UTF-8, in order, valid until the next call with the same scratch. Sums are in
  /// double, and a path gives way only to a strictly better one. A character that is no piece by itself may be unknown, with
  /// the lowest score of all pieces less 10; neighbouring unknowns are one segment.
  [[nodiscard]] std::span<const Segment> segment(std::string_view word, Scratch& scratch) const;

 private:
  void append_unknown(std::string_view piece, const Segment& segment, std::vector<ModelToken>& out) const;

  PrefixTrie trie_;
  std::array<std::optional<std::int32_t>, 256> byte_ids_ = {};
  std::vector<double> scores_;
  std::int32_t unknown_;
  double unknown_score_;
};

}  // namespace preamble
