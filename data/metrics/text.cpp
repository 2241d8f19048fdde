#include "data/metrics/text.h"

#include <algorithm>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble::metrics {
namespace {

/// Calls `visit(begin, end, space)` for every character of `text`, with its byte range.
template <class Visit>
void for_each_char(std::string_view text, const Visit& visit) {
  for (std::size_t begin = 0; begin < text.size();) {
    const DecodedChar c = decode_char(text, begin);
    visit(begin, begin + c.bytes, is_space(c.code));
    begin += c.bytes;
  }
}

}  // namespace

bool is_space(char32_t c) noexcept { return is(CharClass::white_space, c) || (c >= 0x1C && c <= 0x1F); }

std::u32string lowered(std::u32string text) {
  for (char32_t& c : text) c = lower(c);
  return text;
}

std::string lowered(std::string_view text) { return encode_utf8(lowered(decode_utf8(text))); }

Tokens split_whitespace(std::string_view text) {
  Tokens tokens;
  std::size_t first = 0;
  const auto flush = [&](std::size_t end) {
    if (end > first) tokens.emplace_back(text.substr(first, end - first));
  };
  for_each_char(text, [&](std::size_t begin, std::size_t end, bool space) {
    if (!space) return;
    flush(begin);
    first = end;
  });
  flush(text.size());
  return tokens;
}

Tokens split_whitespace(std::u32string_view text) { return split_whitespace(encode_utf8(text)); }

Tokens split_at(std::string_view text, char separator) {
  Tokens pieces;
  for (;;) {
    const std::size_t end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string_view strip_end(std::string_view text) {
  std::size_t last = 0;
  for_each_char(text, [&](std::size_t, std::size_t end, bool space) {
    if (!space) last = end;
  });
  return text.substr(0, last);
}

std::string_view strip(std::string_view text) {
  text = strip_end(text);
  std::size_t first = text.size();
  for_each_char(text, [&](std::size_t begin, std::size_t, bool space) {
    if (!space) first = std::min(first, begin);
  });
  return text.substr(first);
}

std::string ascii_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (;;) {
    const std::size_t found = text.find(from);
    out += text.substr(0, found);
    if (found == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(found + from.size());
  }
}

}  // namespace preamble::metrics
