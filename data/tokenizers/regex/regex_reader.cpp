#include "data/tokenizers/regex/regex_reader.h"

#include <fmt/format.h>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {

RegexReader::RegexReader(std::string_view expression, std::string_view origin)
    : source_(expression), origin_(origin), text_(decode_utf8(expression)) {}

char32_t RegexReader::next() {
  if (at_end()) fail("an end where a character was expected");
  return text_[at_++];
}

bool RegexReader::take(char32_t c) noexcept {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool RegexReader::take(std::u32string_view text) noexcept {
  if (!std::u32string_view(text_).substr(at_).starts_with(text)) return false;
  at_ += text.size();
  return true;
}

bool RegexReader::next_is(std::u32string_view any_of) const noexcept { return !at_end() && any_of.find(peek()) != std::u32string_view::npos; }

std::optional<std::size_t> RegexReader::number() {
  constexpr std::size_t kMostDigits = 6;
  std::size_t value = 0, digits = 0;
  while (digits < kMostDigits && next_is(U"0123456789")) {
    value = 10 * value + (next() - U'0');
    ++digits;
  }
  return digits > 0 ? std::optional(value) : std::nullopt;
}

char32_t RegexReader::digits(std::size_t least, std::size_t most, unsigned base) {
  char32_t value = 0;
  std::size_t count = 0;
  for (; count < most && !at_end(); ++count) {
    const char32_t c = peek();
    const unsigned digit = c >= U'0' && c <= U'9' ? c - U'0' : c >= U'a' && c <= U'f' ? c - U'a' + 10 : c >= U'A' && c <= U'F' ? c - U'A' + 10 : base;
    if (digit >= base) break;
    value = value * base + digit;
    ++at_;
  }
  if (count < least || value > 0x10FFFF) fail("a character number that is none");
  return value;
}

std::string RegexReader::origin() const { return fmt::format("{}: regular expression '{}'", origin_, source_); }

void RegexReader::fail(std::string_view what) const {
  raise<FileError>("{}: {} at character {}; wanted an expression as Oniguruma reads it", origin(), what, at_);
}

void RegexReader::refuse(std::string_view what) const {
  raise<UnsupportedError>("{}: {} at character {} is not built in", origin(), what, at_);
}

}  // namespace preamble
