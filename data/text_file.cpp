#include "data/text_file.h"

#include <algorithm>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

}  // namespace

void require_text(std::string_view text, std::string_view source, std::int64_t line) {
  require<FileError>(text.find('\0') == std::string_view::npos, "{}:{}: a NUL byte; wanted UTF-8 text", source, line);
  for (std::size_t offset = 0; offset < text.size();) {
    const DecodedChar c = decode_char(text, offset);
    require<FileError>(c.valid, "{}:{}: byte 0x{:02X} is not UTF-8; wanted UTF-8 text", source, line,
                       static_cast<unsigned char>(text[offset]));
    offset += c.bytes;
  }
}

std::string_view without_byte_order_mark(std::string_view text) noexcept {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

std::optional<std::string_view> LineReader::next() noexcept {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const std::size_t length = std::min(rest_.find('\n'), rest_.size());
  std::string_view line = rest_.substr(0, length);
  rest_.remove_prefix(std::min(length + 1, rest_.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::size_t char_start(std::string_view text, std::size_t offset) noexcept {
  if (offset >= text.size()) return text.size();
  while (offset > 0 && is_continuation(text[offset])) --offset;
  return offset;
}

std::optional<std::size_t> byte_offset(std::string_view text, std::size_t index) noexcept {
  for (std::size_t offset = 0; offset < text.size(); ++offset) {
    if (is_continuation(text[offset])) continue;
    if (index == 0) return offset;
    --index;
  }
  return index == 0 ? std::optional(text.size()) : std::nullopt;
}

}  // namespace preamble
