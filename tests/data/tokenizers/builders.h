// Small model files made by hand.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizers/models/unigram.h"

namespace preamble::testing {

inline void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

/// A precompiled charsmap: a double array in which every node has a block of 256 units of its own.
inline std::string charsmap_blob(const std::map<std::string, std::string>& replacements) {
  std::vector<std::uint32_t> units(256, 0x80000000);  // a label that no byte has
  std::string strings;
  std::map<std::string, std::size_t> positions = {{"", 0}};
  units[0] = 0;
  std::map<std::string, std::size_t> blocks;
  const auto block_of = [&](const std::string& prefix) {
    const auto [entry, fresh] = blocks.emplace(prefix, units.size());
    if (fresh) {
      units.resize(units.size() + 256, 0x80000000);
      units[positions.at(prefix)] |= static_cast<std::uint32_t>(positions.at(prefix) ^ entry->second) << 10;
    }
    return entry->second;
  };
  for (const auto& [key, replacement] : replacements) {
    for (std::size_t length = 1; length <= key.size(); ++length) {
      const auto byte = static_cast<unsigned char>(key[length - 1]);
      const std::size_t position = block_of(key.substr(0, length - 1)) + byte;
      if (positions.emplace(key.substr(0, length), position).second) units[position] = byte;
    }
    units[block_of(key)] = 0x80000000 | static_cast<std::uint32_t>(strings.size());
    units[positions.at(key)] |= 0x100;
    strings += replacement + '\0';
  }
  std::string blob;
  append_u32(blob, static_cast<std::uint32_t>(4 * units.size()));
  for (const std::uint32_t unit : units) append_u32(blob, unit);
  return blob + strings;
}

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

inline void append_bytes_field(std::string& out, std::uint32_t number, std::string_view bytes) {
  append_varint(out, number << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

inline void append_number_field(std::string& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, number << 3);
  append_varint(out, value);
}

/// A SentencePiece file. The piece number `unknown` has the type UNKNOWN.
inline std::string sentencepiece_file(const std::vector<UnigramPiece>& pieces, std::size_t unknown, std::string_view charsmap = {},
                                      std::uint64_t model_type = 1) {
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string piece;
    append_bytes_field(piece, 1, pieces[i].text);
    append_varint(piece, 2 << 3 | 5);
    append_u32(piece, std::bit_cast<std::uint32_t>(static_cast<float>(pieces[i].score)));
    if (i == unknown) append_number_field(piece, 3, 2);
    append_bytes_field(out, 1, piece);
  }
  std::string trainer;
  append_number_field(trainer, 3, model_type);
  append_bytes_field(out, 2, trainer);
  std::string normalizer;
  append_bytes_field(normalizer, 2, charsmap);
  append_bytes_field(out, 3, normalizer);
  return out;
}

}  // namespace preamble::testing
