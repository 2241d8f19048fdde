// the build's baseline instruction set stands for the others, which the tests of ops cover
#define PREAMBLE_ISA few_rows_test

#include "engine/backend/cpu/few_rows.h"

#include <vector>

#include <doctest/doctest.h>

#include "engine/core/quantise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("few rows: the product of every type and layout, whatever the number of threads") {
  constexpr std::int64_t kLong = 1037, kShort = 70;
  for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::nf4_64}) {
    CAPTURE(name_of(type));
    const Tensor w = random_tensor({kShort, kLong}, 3).to(Dtype::f32).to(type);
    const StoredMatrix m = StoredMatrix::of(type, kShort, kLong, w.data());
    const std::vector<double> exact = numbers(w);
    for (const bool out_in : {true, false}) {
      const std::int64_t n = out_in ? kShort : kLong, k = out_in ? kLong : kShort;
      for (const std::int64_t rows : {1, 3, 16}) {
        const Tensor x = random_tensor({rows, k}, 5).to(Dtype::f32), start = random_tensor({rows, n}, 7).to(Dtype::f32);
        for (const bool add : {false, true}) {
          std::vector<double> expected = add ? numbers(start) : std::vector<double>(static_cast<std::size_t>(rows * n));
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t j = 0; j < n; ++j) {
              for (std::int64_t i = 0; i < k; ++i) {
                const auto place = static_cast<std::size_t>(out_in ? j * k + i : i * n + j);
                expected[static_cast<std::size_t>(r * n + j)] +=
                    static_cast<double>(x.values<float>()[static_cast<std::size_t>(r * k + i)]) * exact[place];
              }
            }
          }
          std::vector<double> first;
          for (const int threads : {1, 3}) {
            const Threads limit(threads);
            Tensor y = start.clone();
            few_rows_test::few_rows_product<float>(m, out_in, rows, {x.values<float>().data(), k}, {y.values<float>().data(), n}, add);
            check_close(numbers(y), expected, 1e-5);
            if (first.empty()) first = numbers(y);
            CHECK(numbers(y) == first);
          }
        }
      }
    }
  }
}
