// Frozen matrices of every type on a GPU, read by every op that reads one.
#include <array>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/pick_rows.h"
#include "tests/support/device_parity.h"
#include "tests/support/stored_matrices.h"
#include "tests/support/values.h"

namespace stored_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Products of few rows read the matrix as it lies; others convert it. 9 and 16 rows take more than one launch.
constexpr std::array<std::int32_t, 6> kRowCounts = {1, 3, 9, 16, 17, 70};

/// Largest errors of sums of hundreds of terms whose factors have any size.
const ParityOptions kStored{.f32 = 3e-5};

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: products with stored matrices of every type, and their gradients") {
    constexpr std::int64_t kWide = 512, kNarrow = 38;
    for (const Dtype type : kStoredTypes) {
      const Tensor w = stored_matrix(type, kNarrow, kWide, 5);
      for (const std::int32_t rows : kRowCounts) {
        const std::string name = fmt::format("{} rows of {}", rows, name_of(type));
        GradientCase out_in{{{"r", Segments(std::array{rows})}},
                            {{"x", random_tensor({rows, kWide}, 1), "r"},
                             {"b", random_tensor({kNarrow}, 2)},
                             {"residual", random_tensor({rows, kNarrow}, 4), "r"}},
                            [w](Graph& graph, const auto& v) { return linear_add(v[0], graph.frozen("stored", w), v[1], v[2], WeightLayout::out_in); },
                            0};
        check_parity(name, out_in, kStored);
        out_in.build = [w](Graph& graph, const auto& v) {
          return add(linear_activation(v[0], graph.frozen("stored", w), v[1], WeightLayout::out_in, ActivationKind::gelu_tanh), v[2]);
        };
        check_parity(name, out_in, kStored);
        const GradientCase in_out{{{"r", Segments(std::array{rows})}},
                                  {{"x", random_tensor({rows, kNarrow}, 1), "r"}},
                                  [w](Graph& graph, const auto& v) {
                                    return linear_activation(v[0], graph.frozen("stored", w), {}, WeightLayout::in_out, ActivationKind::silu);
                                  },
                                  0};
        check_parity(name, in_out, kStored);
      }
    }
  }

  TEST_CASE("cuda: products with matrices whose rows end within an octet") {
    for (const Dtype type : {Dtype::f16, Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::nf4_64}) {
      const Tensor w = stored_matrix(type, 11, 77, 6);
      for (const std::int32_t rows : {2, 20}) {
        const std::string name = fmt::format("{} rows of {}", rows, name_of(type));
        check_parity(name, {{{"r", Segments(std::array{rows})}},
                            {{"x", random_tensor({rows, 77}, 1), "r"}},
                            [w](Graph& graph, const auto& v) { return linear(v[0], graph.frozen("stored", w), {}); },
                            0},
                     kStored);
        check_parity(name, {{{"r", Segments(std::array{rows})}},
                            {{"x", random_tensor({rows, 11}, 1), "r"}},
                            [w](Graph& graph, const auto& v) { return linear(v[0], graph.frozen("stored", w), {}, WeightLayout::in_out); },
                            0},
                     kStored);
      }
    }
  }

  TEST_CASE("cuda: heads, losses and rows of stored matrices") {
    constexpr std::int64_t kVocabulary = 600, kWide = 256, kHeads = 4;
    for (const Dtype type : kStoredTypes) {
      const std::string name(name_of(type));
      const Tensor w = stored_matrix(type, kVocabulary, kWide, 7);
      std::vector<std::int32_t> labels;
      for (std::int32_t r = 0; r < 30; ++r) labels.push_back(r * 7919 % static_cast<std::int32_t>(kVocabulary));
      check_parity(name, {{{"r", Segments(std::array{30})}},
                          {{"x", random_tensor({30, kWide}, 1), "r"}, {"labels", indices(labels), "r"}, {"weight", doubles({}, {0.25}), {}, false}},
                          [w](Graph& graph, const auto& v) { return linear_cross_entropy(v[0], graph.frozen("stored", w), {}, v[1], v[2]); }},
                   kStored);
      check_parity(name, {{{"r", Segments(std::array{30})}},
                          {{"index", indices(labels), "r"}},
                          [w](Graph& graph, const auto& v) { return gather_rows(graph.frozen("stored", w), v[0]); }},
                   {.trained = false});
      std::vector<std::int32_t> words;
      for (std::int32_t i = 0; i < 550; ++i) words.push_back(i * 7 % static_cast<std::int32_t>(kVocabulary));
      check_parity(name, {{}, {}, [w, words](Graph& graph, const auto&) { return pick_rows(graph.frozen("stored", w), words); }}, {.trained = false});
      const Tensor heads = stored_matrix(type, kHeads * 16, kWide, 8);
      check_parity(name, {{{"r", Segments(std::array{30})}},
                          {{"x", random_tensor({30, kHeads * 16}, 1), "r"}},
                          [heads](Graph& graph, const auto& v) {
                            const Value matrix = graph.frozen("stored", heads);
                            return head_reduce(head_expand(v[0], matrix, kHeads), matrix, kHeads);
                          }},
                   kStored);
    }
  }
}

}  // namespace stored_parity_test
