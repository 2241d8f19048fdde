// Forms in which a value is kept for the backward pass.
#pragma once

#include <cstdint>

namespace preamble {

enum class KeptForm : std::uint8_t {
  exact,  ///< as it was computed
  bf16,   ///< rounded to bf16: half the bytes of float32
  int8,   ///< 8 bits with a scale for each row: x ≈ s q, s = max |x| / 127
};

}  // namespace preamble
