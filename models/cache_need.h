// How much memory a generation's key/value cache takes, before it is made.
#pragma once

#include <cstdint>

namespace preamble {

/// Bytes of keys and values of all layers.
struct CacheNeed {
  std::int64_t virtual_rows = 0;  ///< of prompts and prefixes: once a slot. A prompt of an encoder-decoder counts with the sources
  std::int64_t inputs = 0;        ///< of sources or prompts' tokens: once a sequence
  std::int64_t generated = 0;     ///< of the tokens that all beams can make

  [[nodiscard]] std::int64_t total() const noexcept { return virtual_rows + inputs + generated; }
};

}  // namespace preamble
