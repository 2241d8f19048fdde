#include "data/tokenizers/charsmap.h"

#include <cstddef>
#include <span>

#include <fmt/format.h>

#include "data/byte_reader.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::size_t kWholeClusterBytes = 6;

// the unit layout of Darts-clone
[[nodiscard]] constexpr bool has_leaf(std::uint32_t unit) noexcept { return (unit >> 8 & 1) != 0; }
[[nodiscard]] constexpr std::uint32_t value_of(std::uint32_t unit) noexcept { return unit & 0x7FFFFFFF; }
[[nodiscard]] constexpr std::uint32_t label_of(std::uint32_t unit) noexcept { return unit & 0x800000FF; }
[[nodiscard]] constexpr std::uint32_t offset_of(std::uint32_t unit) noexcept { return unit >> 10 << ((unit & 0x200) >> 6); }

/// End of the grapheme cluster at `begin`, as far as charsmaps can tell clusters apart: CR LF, or a character with what is
/// prepended and attached to it.
[[nodiscard]] std::size_t cluster_end(std::u32string_view text, std::size_t begin) noexcept {
  const auto next_is = [&](std::size_t i, CharClass char_class) { return i + 1 < text.size() && is(char_class, text[i + 1]); };
  std::size_t last = begin;
  if (text[last] == U'\r' && last + 1 < text.size() && text[last + 1] == U'\n') return last + 2;
  while (is(CharClass::grapheme_prepends, text[last]) && last + 1 < text.size() && !next_is(last, CharClass::grapheme_control)) ++last;
  if (is(CharClass::grapheme_control, text[last])) return last + 1;
  while (next_is(last, CharClass::grapheme_attaches)) ++last;
  return last + 1;
}

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

void Charsmap::append(std::u32string_view cluster, std::int32_t source, MappedText& out) const {
  const std::string bytes = encode_utf8(cluster);
  if (cluster.size() == 1 || bytes.size() < kWholeClusterBytes) {
    if (const auto found = shortest(bytes)) {
      for (const char32_t c : *found) out.push(c, source);
      return;
    }
  }
  if (cluster.size() == 1) return out.push(cluster[0], source);
  for (std::size_t i = 0; i < cluster.size(); ++i) append(cluster.substr(i, 1), source + static_cast<std::int32_t>(i), out);
}

void Charsmap::normalize(std::u32string_view text, std::int32_t base, MappedText& out) const {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = cluster_end(text, i);
    append(text.substr(i, end - i), base + static_cast<std::int32_t>(i), out);
    i = end;
  }
}

}  // namespace preamble
