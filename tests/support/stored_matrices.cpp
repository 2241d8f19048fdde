#include "tests/support/stored_matrices.h"

#include "engine/core/stored_matrix.h"
#include "tests/support/gradient_check.h"

namespace preamble::testing {

Tensor stored_matrix(Dtype type, std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  if (type == Dtype::bf16 || (is_quantised(type) && block_columns(type) == 1)) {
    return random_tensor({rows, columns}, seed).to(Dtype::f32).to(type);
  }
  Tensor tensor(type, {rows, columns});
  auto* bytes = static_cast<std::uint8_t*>(tensor.data());
  // bytes whose pairs are F16 of at most 2^-5 in magnitude, wherever a block holds one
  for (std::size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<std::uint8_t>((i * i * 7 + seed + i) % 41);
  return tensor;
}

}  // namespace preamble::testing
