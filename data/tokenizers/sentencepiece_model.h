// The part of SentencePiece's model file (`sentencepiece_model.proto`) that tokenizing needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/tokenizers/models/unigram.h"

namespace preamble {

/// What a piece is (`ModelProto.SentencePiece.Type`).
enum class PieceType : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// A unigram or BPE model as its file holds it.
struct SentencePieceModel {
  /// In the order of their ids.
  std::vector<UnigramPiece> pieces;
  std::vector<PieceType> types;
  /// Byte-pair encoding; else a unigram model.
  bool is_bpe = false;
  /// Id of the piece of type UNKNOWN.
  std::int32_t unknown = 0;
  /// `normalizer_spec.precompiled_charsmap`; may be empty.
  std::string charsmap;
};

/// Reads a file such as `spiece.model`. Throws FileError with the path and the place of what is wrong, UnsupportedError for a
/// model of another type (word, character).
[[nodiscard]] SentencePieceModel read_sentencepiece_model(const std::filesystem::path& path);

}  // namespace preamble
