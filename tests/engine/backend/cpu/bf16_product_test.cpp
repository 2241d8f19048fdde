// the build's baseline instruction set stands for the others, which the tests of ops cover
#define PREAMBLE_ISA bf16_product_test

#include "engine/backend/cpu/bf16_product.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/quantise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<double> multiplied(const std::vector<double>& a, const std::vector<double>& b, std::int64_t rows, std::int64_t k,
                               std::int64_t n, bool outputs) {
  std::vector<double> c(static_cast<std::size_t>(rows * n));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < k; ++i) {
        c[static_cast<std::size_t>(r * n + j)] +=
            a[static_cast<std::size_t>(r * k + i)] * b[static_cast<std::size_t>(outputs ? j * k + i : i * n + j)];
      }
    }
  }
  return c;
}

}  // namespace

TEST_CASE("bf16 product: every engine of this machine gives the sums of the widened operands") {
  std::vector<cpu::Bf16Engine> engines(cpu::bf16_engines().begin(), cpu::bf16_engines().end());
  engines.push_back({"widening", bf16_product_test::widening_product});
  constexpr std::int64_t kColumns = 64;
  // the last two: more than engines multiply at a time, and rows that lie a multiple of 4096 bytes apart
  for (const std::int64_t deep : {96, 1056, 2048}) {
    CAPTURE(deep);
    const Tensor b = random_tensor({kColumns, deep}, 2).to(Dtype::f32).to(Dtype::bf16);
    const StoredMatrix w = StoredMatrix::of(Dtype::bf16, kColumns, deep, b.data());
    std::vector<BFloat16> packed(static_cast<std::size_t>(kColumns * deep));
    bf16_product_test::pack_columns({w, 0, kColumns, true}, 0, kColumns, deep, packed.data());
    for (const auto& engine : engines) {
      CAPTURE(engine.name);
      for (const std::int64_t rows : std::array<std::int64_t, 7>{1, 5, 16, 17, 31, 32, engine.rows}) {
        const Tensor a = random_tensor({rows, deep}, 3).to(Dtype::f32).to(Dtype::bf16);
        std::vector<float> c(static_cast<std::size_t>(rows * kColumns));
        engine.product({a.values<BFloat16>().data(), deep, rows, packed.data(), deep, kColumns, c.data(), kColumns});
        const std::vector<double> expected = multiplied(numbers(a), numbers(b), rows, deep, kColumns, true);
        check_close({c.begin(), c.end()}, expected, 2e-5);
        // the same in two parts of k, the second one added to the first
        constexpr std::int64_t kFirst = cpu::Bf16Panel::kDepth;
        std::ranges::fill(c, 1e30F);
        cpu::Bf16Panel part{a.values<BFloat16>().data(), deep, rows, packed.data(), kFirst, kColumns, c.data(), kColumns, deep};
        engine.product(part);
        part.a += kFirst, part.packed += kFirst * cpu::Bf16Panel::kPacked, part.k = deep - kFirst, part.adds = true;
        engine.product(part);
        check_close({c.begin(), c.end()}, expected, 2e-5);
      }
    }
  }
}

TEST_CASE("bf16 product: without a k there are zeros, or what was there") {
  std::vector<cpu::Bf16Engine> engines(cpu::bf16_engines().begin(), cpu::bf16_engines().end());
  engines.push_back({"widening", bf16_product_test::widening_product});
  for (const auto& engine : engines) {
    CAPTURE(engine.name);
    const BFloat16 nothing{};
    std::vector<float> c(5 * 32, 3.0F);
    cpu::Bf16Panel panel{&nothing, 32, 5, &nothing, 0, 32, c.data(), 32};
    panel.adds = true;
    engine.product(panel);
    CHECK(c == std::vector<float>(5 * 32, 3.0F));
    panel.adds = false;
    engine.product(panel);
    CHECK(c == std::vector<float>(5 * 32, 0.0F));
  }
}

TEST_CASE("bf16 product: any shape and type of matrix, both layouts, parts of its rows, whatever the number of threads") {
  for (const Dtype type : {Dtype::bf16, Dtype::f32, Dtype::int8_rows, Dtype::nf4_32}) {
    CAPTURE(name_of(type));
    for (const auto& [rows, columns] : {std::array{37, 70}, {600, 33}, {9, 1100}}) {
      const Tensor stored = random_tensor({rows, columns}, 5).to(Dtype::f32).to(type);
      const StoredMatrix w = StoredMatrix::of(type, rows, columns, stored.data());
      const std::int64_t first = 3, count = rows - 5;
      const std::vector<double> part = numbers(stored.to(Dtype::f32).rows(first, count).to(Dtype::bf16));
      for (const bool outputs : {true, false}) {
        const bf16_product_test::StoredRows b{w, first, count, outputs};
        const std::int64_t k = b.k(), n = b.n(), m = 45;
        const Tensor a = random_tensor({m, k}, 7).to(Dtype::f32);
        const Tensor rounded = a.to(Dtype::bf16);
        const std::vector<double> expected = multiplied(numbers(rounded), part, m, k, n, outputs);
        for (const bool converts : {false, true}) {
          std::vector<std::byte> scratch(static_cast<std::size_t>(cpu::Bf16Scratch::of(m, k, n, converts).bytes()));
          std::vector<float> results;
          for (const int threads : {1, 3}) {
            const Threads limit(threads);
            std::vector<float> c(static_cast<std::size_t>(m * n), 1e30F);
            bf16_product_test::Bf16Rows left{.stride = k};
            if (converts) {
              left.f32 = a.values<float>().data();
            } else {
              left.bf16 = rounded.values<BFloat16>().data();
            }
            bf16_product_test::bf16_product(left, m, b, scratch.data(),
                                            [&](std::int64_t r, std::int64_t column, std::int64_t many, const float* sums) {
                                              std::copy_n(sums, many, c.data() + r * n + column);
                                            });
            check_close({c.begin(), c.end()}, expected, 2e-5);
            if (results.empty()) results = c;
            CHECK(c == results);
          }
        }
      }
    }
  }
}
