#include <string>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "engine/core/stored_matrix.h"
#include "tests/support/golden.h"
#include "tests/support/values.h"

namespace gguf_blocks_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("gguf: blocks hold the numbers that the public reader finds in them") {
  const SafetensorsFile file = SafetensorsFile::open(golden("gguf/blocks.safetensors"));
  for (const Dtype dtype : {Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k}) {
    const std::string name(name_of(dtype));
    CAPTURE(name);
    const Tensor blocks = file.get(name + ".blocks"), expected = file.get(name + ".numbers");
    const Tensor stored(dtype, expected.dims(), blocks.owner().lock(), blocks.data());
    REQUIRE(stored.bytes() == blocks.bytes());
    // the reader rounds after each product and sum as we do, but fused operations may round once
    check_close(stored.to(Dtype::f32), numbers(expected), 1e-6);
  }
}

}  // namespace gguf_blocks_test
