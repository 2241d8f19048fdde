// Base64 (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

namespace preamble {

/// The bytes that `text` stands for. Throws FileError that begins with `origin` for a character outside the alphabet or a
/// length that is no multiple of four.
[[nodiscard]] std::string decode_base64(std::string_view text, std::string_view origin);

}  // namespace preamble
