#include "data/tokenizers/base64.h"

#include <cstddef>
#include <cstdint>

#include "engine/core/error.h"

namespace preamble {

std::string decode_base64(std::string_view text, std::string_view origin) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  require<FileError>(text.size() % 4 == 0, "{}: base64 of {} characters; wanted a multiple of four", origin, text.size());
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string bytes;
  bytes.reserve(digits.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : digits) {
    const std::size_t digit = kAlphabet.find(c);
    require<FileError>(digit != std::string_view::npos, "{}: character {} in base64; wanted a letter, a digit, '+' or '/'", origin,
                       static_cast<int>(static_cast<unsigned char>(c)));
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

}  // namespace preamble
