// What all text files of data have in common: UTF-8 without NUL bytes, in lines, perhaps with a byte-order mark (or UTF-16 with one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace preamble {

/// The whole file; one compressed with gzip is unpacked. UTF-16 with a byte-order mark (spreadsheets' "Unicode text") becomes UTF-8. Throws
/// FileError for a file that cannot be read, for a damaged gzip file, for malformed UTF-16, and for files compressed otherwise, spreadsheets
/// and Parquet or Arrow tables, with what to do about them.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path);

/// Throws FileError if a file that begins so is compressed, a spreadsheet, a Parquet or an Arrow table; it says what to do about it.
void require_uncompressed(std::string_view start_of_file, std::string_view source);

/// Throws FileError with file and line if `text` holds a NUL byte or is not UTF-8.
void require_text(std::string_view text, std::string_view source, std::int64_t line);

/// `text` without a byte-order mark in front.
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text) noexcept;

/// Goes through text line by line. A line ends at LF or at the end of the text; a CR before that is not part of it.
class LineReader {
 public:
  explicit LineReader(std::string_view text) noexcept : rest_(without_byte_order_mark(text)) {}

  /// The next line, or nothing at the end. An LF at the very end begins no further line.
  [[nodiscard]] std::optional<std::string_view> next() noexcept;
  /// Number of the line that `next` gave last, from 1.
  [[nodiscard]] std::int64_t number() const noexcept { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

/// `offset`, moved back to the beginning of the character it lies in (the end stays the end). `text` must be UTF-8.
[[nodiscard]] std::size_t char_start(std::string_view text, std::size_t offset) noexcept;

/// Byte offset of character number `index`, or nothing if `text` has fewer; the end counts as one. `text` must be UTF-8.
[[nodiscard]] std::optional<std::size_t> byte_offset(std::string_view text, std::size_t index) noexcept;

}  // namespace preamble
