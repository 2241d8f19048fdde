// Plain text in files of any size, document by document, in pieces that fit in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// What ends a document; the end of a file always does.
enum class DocumentFormat : std::uint8_t {
  form_feed,   ///< a form feed character
  blank_line,  ///< an empty line
  line,        ///< the end of a line
  jsonl,       ///< likewise; a line is a JSON object, one field of which is the text
};

/// `form-feed`, `blank-line`, `line`, `jsonl`. Throws ConfigError that lists them.
[[nodiscard]] DocumentFormat document_format_of(std::string_view name);
[[nodiscard]] std::string_view name_of(DocumentFormat format) noexcept;

/// Where a piece of a document begins.
struct PieceStart {
  std::uint64_t file = 0;  ///< which of the reader's files
  std::uint64_t byte = 0;
  bool continues = false;  ///< an earlier piece of the same document stands in front of it

  bool operator==(const PieceStart&) const = default;
};

struct TextPiece {
  PieceStart start;
  std::string text;  ///< without line breaks at the ends of the document
  bool ends_document = false;
};

/// Reads files one behind the other. A document that is longer than a piece comes in several, cut behind the end of a line, else behind a
/// space, else between characters. No more than a piece (of JSON lines: a line) is ever held.
class DocumentReader {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 16U;

  /// `field`: of JSON lines. Throws ConfigError for no files, FileError for one that cannot be read or is compressed.
  DocumentReader(std::vector<std::filesystem::path> files, DocumentFormat format, std::string field = "text",
                 std::size_t piece_bytes = kPieceBytes);

  /// The next piece, or nothing behind the last one of all files. Documents of white space alone are passed over. Bytes that are not UTF-8
  /// are warned of, once a file. Throws FileError for a file that cannot be read, and for a line that is not JSON or lacks the field.
  [[nodiscard]] std::optional<TextPiece> next();

  /// Where the next piece begins.
  [[nodiscard]] const PieceStart& position() const noexcept { return position_; }
  /// Goes to the start of a piece that an equal reader gave. Throws ConfigError for a place outside of the files.
  void seek(const PieceStart& position);

  /// Sizes of the files and a hash of 64 blocks of each, evenly spread: `2 files, 128000000 bytes, 90b1c2d3e4f50617`.
  [[nodiscard]] std::string describe() const;

 private:
  void open();
  /// Reads on until so many bytes of the rest are held, or all of it.
  void fill(std::size_t bytes);
  /// What is held of the file from position_.byte on.
  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(buffer_).substr(head_); }
  [[nodiscard]] const std::string& path() const { return names_[position_.file]; }
  /// Length of the next piece, and of the separator behind it (0 where the document goes on).
  struct Cut {
    std::size_t length = 0, separator = 0;
    bool ends = false;
  };
  [[nodiscard]] Cut find_cut();
  [[nodiscard]] std::string text_of(std::string_view bytes, const Cut& cut) const;

  std::vector<std::string> names_;
  DocumentFormat format_;
  std::string field_;
  std::size_t piece_bytes_;
  PieceStart position_;
  std::ifstream stream_;
  std::string buffer_;
  std::size_t head_ = 0;  ///< bytes of the buffer that have been read
  bool at_end_ = false;   ///< the buffer holds the rest of the file
};

}  // namespace preamble
