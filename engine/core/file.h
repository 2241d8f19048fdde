// Reading files by memory map, and writing them so that nothing is ever half-written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace preamble {

/// A file mapped read-only and shared between processes. Throws FileError with the path and the reason.
class MappedFile {
 public:
  [[nodiscard]] static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The whole file as text. Throws FileError with the path and the reason.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Receives pieces of a file in order.
using Sink = std::function<void(std::span<const std::byte>)>;

/// Creates or replaces `path` atomically: `write` fills a temporary file beside it, which is flushed to the disk
/// (fsync) and renamed, and the folder is flushed too. On any failure (full disk included) the old file stays, the
/// temporary one is removed, and FileError says which path and why.
void write_atomically(const std::filesystem::path& path, const std::function<void(const Sink&)>& write);
void write_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace preamble
