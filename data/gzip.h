// Files compressed with gzip: the one place that knows zlib.
#pragma once

#include <string>
#include <string_view>

namespace preamble {

/// Whether `content` begins as a gzip file (RFC 1952).
[[nodiscard]] bool is_gzip(std::string_view content) noexcept;

/// What a gzip file holds: all its members, one behind the other. Throws FileError in the name of `source` for a damaged file and for one
/// that ends too early.
[[nodiscard]] std::string gunzip(std::string_view content, std::string_view source);

}  // namespace preamble
