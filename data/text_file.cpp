#include "data/text_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/gzip.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

constexpr bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// How files begin that hold data, but not as text; and what to do about them.
struct BinaryFormat {
  std::string_view start;
  const char* name;
  const char* remedy;
};
constexpr std::array<BinaryFormat, 8> kBinaryFormats = {{
    {"\x1F\x8B", "compressed with gzip", "gunzip it"},
    {"BZh", "compressed with bzip2", "bunzip2 it"},
    {"\xFD"
     "7zXZ",
     "compressed with xz", "unxz it"},
    {"\x28\xB5\x2F\xFD", "compressed with zstd", "unzstd it"},
    {"PK\x03\x04", "a ZIP archive or a spreadsheet", "unpack it, or save the sheet as CSV"},
    {"\xD0\xCF\x11\xE0", "a spreadsheet", "save the sheet as CSV"},
    {"PAR1", "a Parquet table", "export it as JSON lines"},
    {"ARROW1", "an Arrow table", "export it as JSON lines"},
}};

/// UTF-16 behind its byte-order mark.
std::string from_utf16(std::string_view bytes, bool big_endian, const std::string& source) {
  require<FileError>(bytes.size() % 2 == 0, "{}: UTF-16 that ends within a character", source);
  const auto unit = [&](std::size_t i) {
    const auto a = static_cast<unsigned char>(bytes[i]), b = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(big_endian ? a << 8U | b : b << 8U | a);
  };
  const auto is_high = [](char32_t c) { return c >= 0xD800 && c < 0xDC00; };
  const auto is_low = [](char32_t c) { return c >= 0xDC00 && c < 0xE000; };
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    char32_t c = unit(i);
    if (is_high(c) && i + 2 < bytes.size() && is_low(unit(i + 2))) {
      i += 2;
      c = 0x10000 + ((c - 0xD800) << 10U) + (unit(i) - 0xDC00);
    }
    require<FileError>(!is_high(c) && !is_low(c), "{}: malformed UTF-16 at byte {}; wanted UTF-8 text", source, i + 2);
    append_utf8(c, text);
  }
  return text;
}

}  // namespace

std::string read_text_file(const std::filesystem::path& path) {
  std::string content = read_text(path);
  if (is_gzip(content)) content = gunzip(content, path.string());
  require_uncompressed(content, path.string());
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF")) {
    return from_utf16(std::string_view(content).substr(2), content.front() == '\xFE', path.string());
  }
  return content;
}

void require_uncompressed(std::string_view start_of_file, std::string_view source) {
  for (const auto& [start, name, remedy] : kBinaryFormats) {
    require<FileError>(!start_of_file.starts_with(start), "{}: {}; wanted text: {}", source, name, remedy);
  }
}

void require_text(std::string_view text, std::string_view source, std::int64_t line) {
  require<FileError>(text.find('\0') == std::string_view::npos, "{}:{}: a NUL byte; wanted UTF-8 text", source, line);
  for (std::size_t offset = 0; offset < text.size();) {
    const DecodedChar c = decode_char(text, offset);
    require<FileError>(c.valid, "{}:{}: byte 0x{:02X} is not UTF-8; wanted UTF-8 text (convert it, as with iconv -f WINDOWS-1252 -t UTF-8)",
                       source, line, static_cast<unsigned char>(text[offset]));
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
