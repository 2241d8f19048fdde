// Little-endian numbers out of bytes that nobody has checked yet.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace preamble {

static_assert(std::endian::native == std::endian::little, "the file formats are little-endian and are read in place");

/// A position inside bytes. Every read is checked: FileError says where the bytes end and what was wanted.
class ByteReader {
 public:
  /// `where` names the file in messages. `position` may be anything; a read behind the end throws.
  ByteReader(std::span<const std::byte> bytes, std::string where, std::size_t position = 0);

  /// The next little-endian integer.
  template <std::integral T>
  [[nodiscard]] T read() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  /// The next `count` bytes, not copied.
  [[nodiscard]] std::span<const std::byte> take(std::size_t count);
  /// The next `count` bytes as characters, not copied.
  [[nodiscard]] std::string_view text(std::size_t count);
  /// The characters up to the next line feed, which is skipped and must come within `limit` characters.
  [[nodiscard]] std::string_view line(std::size_t limit);
  void skip(std::size_t count) { static_cast<void>(take(count)); }

  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t position_;
};

}  // namespace preamble
