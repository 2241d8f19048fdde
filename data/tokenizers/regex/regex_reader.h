// Reads a regular expression character by character.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace preamble {

/// The text of an expression and a place in it.
class RegexReader {
 public:
  RegexReader(std::string_view expression, std::string_view origin);

  [[nodiscard]] bool at_end() const noexcept { return at_ == text_.size(); }
  [[nodiscard]] char32_t peek() const noexcept { return text_[at_]; }
  /// The next character; fails at the end.
  [[nodiscard]] char32_t next();
  /// Goes past `c` or `text` if it comes next.
  [[nodiscard]] bool take(char32_t c) noexcept;
  [[nodiscard]] bool take(std::u32string_view text) noexcept;
  [[nodiscard]] bool next_is(std::u32string_view any_of) const noexcept;
  /// A decimal number of at most six digits, if one comes next.
  [[nodiscard]] std::optional<std::size_t> number();
  /// `least` to `most` digits of the base. Fails for fewer.
  [[nodiscard]] char32_t digits(std::size_t least, std::size_t most, unsigned base);
  [[nodiscard]] std::size_t position() const noexcept { return at_; }
  void seek(std::size_t position) noexcept { at_ = position; }
  [[nodiscard]] std::string origin() const;

  /// Throws FileError: the expression is malformed.
  [[noreturn]] void fail(std::string_view what) const;
  /// Throws UnsupportedError: the expression holds what is not built in.
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  std::string source_;
  std::string origin_;
  std::u32string text_;
  std::size_t at_ = 0;
};

}  // namespace preamble
