#include "data/tokenizers/sentencepiece_model.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "data/byte_reader.h"
#include "data/lfs_pointer.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

// field numbers of sentencepiece_model.proto
constexpr std::uint64_t kModelPieces = 1;
constexpr std::uint64_t kModelTrainer = 2;
constexpr std::uint64_t kModelNormalizer = 3;
constexpr std::uint64_t kPieceText = 1;
constexpr std::uint64_t kPieceScore = 2;
constexpr std::uint64_t kPieceType = 3;
constexpr std::uint64_t kTrainerModelType = 3;
constexpr std::uint64_t kNormalizerCharsmap = 2;
constexpr std::uint64_t kLastType = 6;
constexpr std::uint64_t kModelTypeUnigram = 1;
constexpr std::uint64_t kModelTypeBpe = 2;

/// One field of a message: a number (wire types 0, 1, 5) or bytes (wire type 2).
struct WireField {
  std::uint64_t number = 0;
  std::uint32_t wire_type = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// Reads the fields of a protobuf message one by one, never beyond its end.
class FieldReader {
 public:
  FieldReader(std::string_view message, const std::string& origin)
      : reader_(std::as_bytes(std::span(message)), origin), end_(message.size()) {}

  /// The next field; absent at the end.
  [[nodiscard]] std::optional<WireField> next() {
    if (reader_.position() == end_) return std::nullopt;
    const std::uint64_t tag = varint();
    WireField field{.number = tag >> 3, .wire_type = static_cast<std::uint32_t>(tag & 7), .bytes = {}};
    switch (field.wire_type) {
      case 0: field.value = varint(); break;
      case 1: field.value = reader_.read<std::uint64_t>(); break;
      case 2: field.bytes = reader_.text(varint()); break;
      case 5: field.value = reader_.read<std::uint32_t>(); break;
      default:
        raise<FileError>("{}: wire type {} before byte {} of a message; wanted a SentencePiece model", reader_.where(), field.wire_type,
                         reader_.position());
    }
    return field;
  }

 private:
  [[nodiscard]] std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader_.read<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
      if (byte < 0x80) return value;
    }
    raise<FileError>("{}: a number of more than 10 bytes before byte {} of a message; wanted a SentencePiece model", reader_.where(),
                     reader_.position());
  }

  ByteReader reader_;
  std::size_t end_;
};

/// The bytes of a field. Throws FileError if it holds a number.
[[nodiscard]] std::string_view bytes_of(const WireField& field, const std::string& origin) {
  require<FileError>(field.wire_type == 2, "{}: field {} of wire type {}; wanted bytes", origin, field.number, field.wire_type);
  return field.bytes;
}

/// Appends a piece and its type.
void append_piece(std::string_view message, const std::string& origin, SentencePieceModel& model) {
  auto& pieces = model.pieces;
  UnigramPiece piece;
  std::uint64_t type = 1;
  FieldReader reader(message, origin);
  while (const auto field = reader.next()) {
    if (field->number == kPieceText) piece.text = bytes_of(*field, origin);
    if (field->number == kPieceScore) piece.score = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(field->value)));
    if (field->number == kPieceType) type = field->value;
  }
  require<FileError>(is_utf8(piece.text), "{}: piece {} is not UTF-8", origin, pieces.size());
  require<FileError>(std::isfinite(piece.score), "{}: piece {} has the score {}; wanted a finite one", origin, pieces.size(), piece.score);
  require<FileError>(type >= 1 && type <= kLastType, "{}: piece {} has the type {}; wanted 1 to {}", origin, pieces.size(), type, kLastType);
  pieces.push_back(std::move(piece));
  model.types.push_back(static_cast<PieceType>(type));
}

/// Whether the model is one of byte-pair encoding.
[[nodiscard]] bool is_bpe(std::string_view message, const std::string& origin) {
  bool bpe = false;
  FieldReader reader(message, origin);
  while (const auto field = reader.next()) {
    if (field->number != kTrainerModelType) continue;
    constexpr std::array<std::string_view, 5> kNames = {"0", "unigram", "BPE", "word", "character"};
    const auto name = field->value < kNames.size() ? kNames[static_cast<std::size_t>(field->value)] : "unknown";
    bpe = field->value == kModelTypeBpe;
    require<UnsupportedError>(bpe || field->value == kModelTypeUnigram, "{}: a SentencePiece model of type {}; wanted unigram or BPE", origin,
                              name);
  }
  return bpe;
}

}  // namespace

SentencePieceModel read_sentencepiece_model(const std::filesystem::path& path) {
  const std::string origin = path.string();
  const std::string text = read_text(path);
  refuse_lfs_pointer(text, path);
  SentencePieceModel model;
  std::optional<std::int32_t> unknown;
  FieldReader reader(text, origin);
  while (const auto field = reader.next()) {
    if (field->number == kModelPieces) {
      const auto id = static_cast<std::int32_t>(model.pieces.size());
      append_piece(bytes_of(*field, origin), origin, model);
      if (model.types.back() == PieceType::unknown) unknown = id;
    } else if (field->number == kModelTrainer) {
      model.is_bpe = is_bpe(bytes_of(*field, origin), origin);
    } else if (field->number == kModelNormalizer) {
      FieldReader normalizer(bytes_of(*field, origin), origin);
      while (const auto part = normalizer.next()) {
        if (part->number == kNormalizerCharsmap) model.charsmap = bytes_of(*part, origin);
      }
    }
  }
  require<FileError>(unknown.has_value(), "{}: {} pieces, none of type UNKNOWN; wanted a SentencePiece model", origin, model.pieces.size());
  model.unknown = *unknown;
  return model;
}

}  // namespace preamble
