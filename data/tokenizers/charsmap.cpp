#include "data/tokenizers/charsmap.h"

#include <cstddef>
#include <span>

#include <fmt/format.h>

#include "data/byte_reader.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

// the unit layout of Darts-clone
[[nodiscard]] constexpr bool has_leaf(std::uint32_t unit) noexcept { return (unit >> 8 & 1) != 0; }
[[nodiscard]] constexpr std::uint32_t value_of(std::uint32_t unit) noexcept { return unit & 0x7FFFFFFF; }
[[nodiscard]] constexpr std::uint32_t label_of(std::uint32_t unit) noexcept { return unit & 0x800000FF; }
[[nodiscard]] constexpr std::uint32_t offset_of(std::uint32_t unit) noexcept { return unit >> 10 << ((unit & 0x200) >> 6); }

}  // namespace

Charsmap::Charsmap(std::string_view blob, std::string_view origin) {
  if (blob.empty()) return;
  ByteReader reader(std::as_bytes(std::span(blob)), fmt::format("{}: charsmap", origin));
  const auto trie_bytes = reader.read<std::uint32_t>();
  require<FileError>(trie_bytes % 4 == 0, "{}: a trie of {} bytes; wanted units of 4", reader.where(), trie_bytes);
  ByteReader trie(reader.take(trie_bytes), reader.where());
  while (trie.position() < trie_bytes) units_.push_back(trie.read<std::uint32_t>());
  const std::string_view strings = blob.substr(reader.position());
  for (std::size_t i = 0; i < strings.size();) {
    const DecodedChar c = decode_char(strings, i);
    starts_.insert(starts_.end(), c.bytes, static_cast<std::uint32_t>(strings_.size()));
    strings_ += c.code;
    i += c.bytes;
  }
}

std::optional<std::u32string_view> Charsmap::shortest(std::string_view text) const noexcept {
  if (units_.empty()) return std::nullopt;
  std::size_t node = offset_of(units_[0]);
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == 0) return std::nullopt;
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size() || value_of(units_[node]) >= starts_.size()) return std::nullopt;
    const auto string = std::u32string_view(strings_).substr(starts_[value_of(units_[node])]);
    return string.substr(0, string.find(U'\0'));
  }
  return std::nullopt;
}

}  // namespace preamble
