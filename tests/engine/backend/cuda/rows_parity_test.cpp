#include <array>
#include <cmath>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/concat_rows.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/merge_rows.h"
#include "engine/ops/pack_kept.h"
#include "engine/ops/pick_rows.h"
#include "engine/ops/regroup_rows.h"
#include "engine/runtime/session.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace rows_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::array<std::int64_t, 2> kRowWidths = {48, 11};

/// Places that come again, near and far, and some that never come.
std::vector<std::int32_t> scattered_places(std::int32_t rows, std::int32_t places) {
  std::vector<std::int32_t> index;
  for (std::int32_t r = 0; r < rows; ++r) index.push_back(r % 3 == 0 ? 1 : static_cast<std::int32_t>((r * 7919LL) % places));
  return index;
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: rows of a table, and their sums by place") {
    for (const auto width : kRowWidths) {
      // small tables are summed in another way
      for (const std::int32_t places : {2, 16, 17, 500}) {
        for (const std::int32_t rows : {0, 1, 700}) {
          const GradientCase test{{{"r", Segments(std::array{rows})}},
                                  {{"table", random_tensor({places, width}, 1)}, {"index", indices(scattered_places(rows, places)), "r"}},
                                  [](Graph&, const auto& v) { return gather_rows(v[0], v[1], 0); }};
          check_parity("gather", test, {.narrow_parameters = true});
        }
      }
      const GradientCase of_rows{{{"s", Segments(std::array{60})}, {"r", Segments(std::array{40})}},
                                 {{"x", random_tensor({60, width}, 1), "s"}, {"index", indices(scattered_places(40, 60)), "r"}},
                                 [](Graph&, const auto& v) { return gather_rows(v[0], v[1]); }};
      check_parity("gather of rows", of_rows);
    }
  }

  TEST_CASE("cuda: rows of two tables") {
    for (const auto width : kRowWidths) {
      std::vector<std::int32_t> index = scattered_places(90, 20);
      for (std::size_t r = 0; r < index.size(); r += 4) index[r] = -1 - index[r] % 20;
      GradientCase test{{{"s", Segments(std::array{25})}, {"r", Segments(std::array{90})}},
                        {{"a", random_tensor({25, width}, 1), "s"}, {"b", random_tensor({20, width}, 2)}, {"index", indices(index), "r"}},
                        [](Graph&, const auto& v) { return merge_rows(v[0], v[1], v[2]); }};
      check_parity("merge", test);
    }
  }

  TEST_CASE("cuda: rows one behind the other") {
    for (const auto width : kRowWidths) {
      const GradientCase test{{{"s", Segments(std::array{9})}, {"y", Segments(std::array{16})}},
                              {{"a", random_tensor({12, width}, 1)}, {"b", random_tensor({9, width}, 2), "s"}},
                              [](Graph&, const auto& v) {
                                return concat_rows({v[0], v[1]}, {7, 9}, v[0].graph->rows("y"));
                              },
                              0};
      check_parity("concat", test);
      const GradientCase regrouped{{{"s", Segments(std::array{9, 3})}, {"y", Segments(std::array{2, 2, 8})}},
                                   {{"a", random_tensor({12, width}, 1), "s"}},
                                   [](Graph& g, const auto& v) { return scale(regroup_rows(v[0], g.rows("y")), 2); }};
      check_parity("regroup", regrouped);
    }
  }

  TEST_CASE("cuda: rows that are known when a graph is built") {
    std::vector<std::int32_t> rows;
    for (std::int32_t i = 0; i < 700; ++i) rows.push_back(i * 733 % 1000);
    check_parity("pick", {{}, {{"table", random_tensor({1000, 24}, 1)}}, [rows](Graph&, const auto& v) { return pick_rows(v[0], rows); }},
                 {.narrow_parameters = true});
    check_parity("pick numbers",
                 {{}, {{"table", random_tensor({1000}, 1)}}, [rows](Graph&, const auto& v) { return pick_rows(v[0], rows); }});
  }

  TEST_CASE("cuda: rows are appended to a cache, and places outside of it are left out") {
    Graph graph;
    const RowSpaceId space = graph.rows("r", 4, 1);
    Tensor memory(Dtype::f32, {5, 3});
    const Value cache = graph.state("cache", memory);
    const Value x = graph.input("x", {Dtype::f32, space, {3}});
    const Value index = graph.input("index", {Dtype::i32, space, {}});
    graph.output("cache", append_rows(cache, x, index));
    Session session(compile(std::move(graph), {.backend = &cuda_backend(0)}));
    session.rows("r", Segments(std::array{3}));
    session.set<float>("x", std::array<float, 9>{1, 2, 3, 4, 5, 6, 7, 8, 9});
    session.set<std::int32_t>("index", std::array{4, -1, 0});
    session.run();
    CHECK(numbers(session.result_tensor("cache")) == std::vector<double>{7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3});
  }

  TEST_CASE("cuda: rows that are kept in fewer bytes") {
    for (const std::int64_t width : {48, 11, 1}) {
      for (const KeptForm form : {KeptForm::bf16, KeptForm::int8}) {
        GradientCase test{{{"r", Segments(std::array{37, 0, 5})}},
                          {{"x", random_tensor({42, width}, 1), "r"}},
                          [form](Graph&, const auto& v) { return unpack_kept(pack_kept(v[0], form), form); }};
        // rows of any size, one of zeros
        auto values = test.operands[0].values.values<double>();
        for (std::size_t i = 0; i < values.size(); ++i) {
          const auto row = static_cast<int>(i / static_cast<std::size_t>(width));
          values[i] = row == 7 ? 0 : std::ldexp(values[i], row % 9 - 4);
        }
        check_parity("kept", test, {.trained = false});
      }
    }
  }
}

}  // namespace rows_parity_test
