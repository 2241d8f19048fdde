#include "data/corpus/document_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "data/json_file.h"
#include "data/text_file.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "engine/core/hash.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<std::string_view, DocumentFormat>, 4> kFormats = {{{"form-feed", DocumentFormat::form_feed},
                                                                                  {"blank-line", DocumentFormat::blank_line},
                                                                                  {"line", DocumentFormat::line},
                                                                                  {"jsonl", DocumentFormat::jsonl}}};

/// Bytes behind a piece that a separator may need to be seen.
constexpr std::size_t kLookAhead = 4;

bool is_line_break(char c) noexcept { return c == '\n' || c == '\r'; }
bool is_space(char c) noexcept { return is_line_break(c) || c == ' ' || c == '\t' || c == '\f' || c == '\v'; }

/// Length of the separator at `at`, 0 if there is none.
std::size_t separator_at(std::string_view text, std::size_t at, DocumentFormat format) noexcept {
  const char c = text[at];
  if (format == DocumentFormat::form_feed) return c == '\f' ? 1 : 0;
  if (c != '\n') return 0;
  if (format != DocumentFormat::blank_line) return 1;
  const std::size_t behind = at + (at + 1 < text.size() && text[at + 1] == '\r' ? 2 : 1);
  return behind < text.size() && text[behind] == '\n' ? behind + 1 - at : 0;
}

/// Where a text that is too long is cut: behind the last line's end, else in front of the last space (which belongs to the word behind it,
/// as byte-level tokenizers read it), else between characters.
std::size_t cut_of(std::string_view text, std::size_t limit) {
  const std::string_view part = text.substr(0, limit);
  if (const auto line = part.rfind('\n'); line != std::string_view::npos) return line + 1;
  if (const auto space = part.rfind(' '); space != std::string_view::npos && space > 0) return space;
  return std::max<std::size_t>(1, char_start(text, limit));
}

std::size_t first_invalid(std::string_view text) {
  std::size_t offset = 0;
  for (DecodedChar c = decode_char(text, 0); c.valid; c = decode_char(text, offset)) offset += c.bytes;
  return offset;
}

}  // namespace

DocumentFormat document_format_of(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  raise<ConfigError>("documents: '{}' was given; wanted form-feed, blank-line, line or jsonl", name);
}

std::string_view name_of(DocumentFormat format) noexcept { return kFormats[static_cast<std::size_t>(format)].first; }

DocumentReader::DocumentReader(std::vector<std::filesystem::path> files, DocumentFormat format, std::string field, std::size_t piece_bytes)
    : format_(format), field_(std::move(field)), piece_bytes_(piece_bytes) {
  require<ConfigError>(!files.empty() && piece_bytes >= kLookAhead, "text: {} files in pieces of {} bytes; wanted a file and {} bytes at least",
                       files.size(), piece_bytes, kLookAhead);
  for (const auto& file : files) names_.push_back(file.string());
  // each file is looked at now, not after hours
  for (position_.file = names_.size(); position_.file-- > 0;) open();
  position_.file = 0;
}

void DocumentReader::open() {
  position_.byte = 0;
  position_.continues = false;
  stream_ = std::ifstream(path(), std::ios::binary);
  require<FileError>(stream_.good() && !std::filesystem::is_directory(path()), "{}: cannot be read; wanted a text file", path());
  buffer_.clear();
  head_ = 0;
  at_end_ = false;
  fill(piece_bytes_ + kLookAhead);
  require_uncompressed(buffer_, path());
  head_ = position_.byte = buffer_.size() - without_byte_order_mark(buffer_).size();
}

void DocumentReader::fill(std::size_t bytes) {
  if (at_end_ || rest().size() >= bytes) return;
  buffer_.erase(0, head_);
  head_ = 0;
  const std::size_t held = buffer_.size(), wanted = bytes + piece_bytes_;  // a piece more, so that this is rare where lines are short
  buffer_.resize(wanted);
  stream_.read(buffer_.data() + held, static_cast<std::streamsize>(wanted - held));
  require<FileError>(!stream_.bad(), "{}: cannot be read behind byte {}", path(), position_.byte + held);
  buffer_.resize(held + static_cast<std::size_t>(stream_.gcount()));
  at_end_ = buffer_.size() < wanted;
}

DocumentReader::Cut DocumentReader::find_cut() {
  fill(piece_bytes_ + kLookAhead);
  for (std::size_t at = 0;; ++at) {
    if (at == rest().size()) {
      if (at_end_) return {at, 0, true};
      fill(2 * at);  // a line of JSON is read as a whole
      --at;
      continue;
    }
    if (const std::size_t separator = separator_at(rest(), at, format_); separator > 0) return {at, separator, true};
    if (at == piece_bytes_ && format_ != DocumentFormat::jsonl) return {cut_of(rest(), piece_bytes_), 0, false};
  }
}

std::string DocumentReader::text_of(std::string_view bytes, const Cut& cut) const {
  if (!is_utf8(bytes)) {
    warn(fmt::format("{}: byte {} is not UTF-8; it and others like it are read as U+FFFD", path(), position_.byte + first_invalid(bytes)));
  }
  if (format_ == DocumentFormat::jsonl) {
    const bool blank = std::ranges::all_of(bytes, is_space);
    return blank ? "" : JsonFile::parse(bytes, fmt::format("{}: line at byte {}", path(), position_.byte)).get<std::string>(field_);
  }
  while (!position_.continues && !bytes.empty() && is_line_break(bytes.front())) bytes.remove_prefix(1);
  while (cut.ends && !bytes.empty() && is_line_break(bytes.back())) bytes.remove_suffix(1);
  return std::string(bytes);
}

std::optional<TextPiece> DocumentReader::next() {
  for (;;) {
    fill(1);
    if (rest().empty() && !position_.continues) {
      if (position_.file + 1 == names_.size()) return std::nullopt;
      ++position_.file;
      open();
      continue;
    }
    const Cut cut = find_cut();
    TextPiece piece{position_, text_of(rest().substr(0, cut.length), cut), cut.ends};
    head_ += cut.length + cut.separator;
    position_.byte += cut.length + cut.separator;
    position_.continues = !cut.ends;
    if (piece.start.continues || !std::ranges::all_of(piece.text, is_space)) return piece;
    position_.continues = false;  // nothing has been read of this document
  }
}

void DocumentReader::seek(const PieceStart& position) {
  require<ConfigError>(position.file < names_.size(), "text: file {} was asked for; wanted one of {}", position.file, names_.size());
  const std::uint64_t size = std::filesystem::file_size(names_[position.file]);
  require<ConfigError>(position.byte <= size, "{}: byte {} was asked for; it has {}", names_[position.file], position.byte, size);
  position_.file = position.file;
  open();
  if (position.byte == 0) return;  // perhaps behind a byte-order mark
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(position.byte));
  buffer_.clear();
  head_ = 0;
  at_end_ = false;
  position_ = position;
}

std::string DocumentReader::describe() const {
  constexpr std::uint64_t kBlocks = 64, kBlock = 4096;
  std::uint64_t hash = kHashSeed, total = 0;
  std::string block(kBlock, '\0');
  for (const auto& name : names_) {
    const std::uint64_t size = std::filesystem::file_size(name);
    total += size;
    hash = hash_words(hash, &size, sizeof size);
    std::ifstream stream(name, std::ios::binary);
    for (std::uint64_t i = 0; i < kBlocks; ++i) {
      stream.clear();
      stream.seekg(static_cast<std::streamoff>(size / kBlocks * i));
      stream.read(block.data(), static_cast<std::streamsize>(kBlock));
      hash = hash_words(hash, block.data(), static_cast<std::size_t>(stream.gcount()));
    }
  }
  return fmt::format("{} files, {} bytes, {:016x}, documents by {}", names_.size(), total, hash, name_of(format_));
}

}  // namespace preamble
