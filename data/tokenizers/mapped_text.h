// Normalised text that still knows where each character came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace preamble {

/// Characters, and for each the index of the original character that it stands for.
struct MappedText {
  std::u32string chars;
  std::vector<std::int32_t> sources;

  void push(char32_t c, std::int32_t source) {
    chars += c;
    sources.push_back(source);
  }
  [[nodiscard]] std::size_t size() const noexcept { return chars.size(); }
};

}  // namespace preamble
