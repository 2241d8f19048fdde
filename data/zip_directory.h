// The entries of a zip archive whose contents are stored uncompressed.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// One file in an archive; both members point into the archive's bytes.
struct ZipEntry {
  std::string_view name;
  std::span<const std::byte> bytes;
};

/// Whether the bytes begin like a zip archive that has at least one entry.
[[nodiscard]] bool is_zip(std::span<const std::byte> archive) noexcept;

/// All entries, in the order of the central directory (zip64 included; PKWARE APPNOTE 6.3.10). Checksums are not read.
/// Throws FileError, beginning with `where`, for whatever does not add up: sizes and offsets outside the archive,
/// entries that overlap or reach into the directory, names that are given twice or differ between directory and entry,
/// and for what needs more than a view: compression, encryption, several volumes.
[[nodiscard]] std::vector<ZipEntry> zip_entries(std::span<const std::byte> archive, const std::string& where);

}  // namespace preamble
