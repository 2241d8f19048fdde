// Uses the installed headers and the installed library.
#include <iostream>

#include "engine/core/tensor.h"

int main() {
  const preamble::Tensor prompt(preamble::Dtype::f32, {20, 128});
  std::cout << "prompt " << preamble::to_string(prompt.dims()) << ", " << prompt.bytes() << " bytes\n";
  return prompt.bytes() == std::size_t{4} * 20 * 128 ? 0 : 1;
}
