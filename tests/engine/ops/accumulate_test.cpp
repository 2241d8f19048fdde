#include "engine/ops/accumulate.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/residence.h"
#include "tests/support/values.h"

namespace accumulate_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A program that adds what it is fed to `sum`.
struct Sum {
  Sum(Dtype sum_type, Dtype real) : sum(sum_type, {3}) {
    Graph graph(real);
    const Value x = graph.input("x", {real, kNoRows, {3}});
    graph.output("sum", accumulate(graph.state("sum", sum), x, graph.input("first", {Dtype::i32, kNoRows, {}})));
    session = std::make_unique<Session>(compile(std::move(graph)));
  }

  template <class T>
  std::vector<double> add(const std::vector<T>& values, bool first) {
    session->set<T>("x", values);
    session->input<std::int32_t>("first")[0] = first ? 1 : 0;
    session->run();
    return numbers(session->result_tensor("sum"));
  }

  Tensor sum;
  std::unique_ptr<Session> session;
};

}  // namespace

TEST_CASE("accumulate: the first run forgets, later ones add, in the leaf's memory") {
  for (const Dtype real : {Dtype::f32, Dtype::f64}) {
    Sum sum(real, real);
    const auto add = [&](const std::vector<double>& values, bool first) {
      if (real == Dtype::f64) return sum.add(values, first);
      return sum.add(std::vector<float>(values.begin(), values.end()), first);
    };
    if (real == Dtype::f32) std::ranges::fill(sum.sum.values<float>(), std::numeric_limits<float>::quiet_NaN());
    uploaded(sum.sum);
    CHECK(add({1, 2, -3}, true) == std::vector<double>{1, 2, -3});
    CHECK(add({0.5, 0.25, 3}, false) == std::vector<double>{1.5, 2.25, 0});
    CHECK(numbers(downloaded(sum.sum)) == std::vector<double>{1.5, 2.25, 0});
    CHECK(add({7, 8, 9}, true) == std::vector<double>{7, 8, 9});
  }
}

TEST_CASE("accumulate: a sum in double loses nothing of what single precision adds") {
  Sum sum(Dtype::f64, Dtype::f32);
  (void)sum.add(std::vector{1e8F, 0.0F, 0.0F}, true);
  CHECK(sum.add(std::vector{1.0F, 0.0F, 0.0F}, false)[0] == 100'000'001);
}

TEST_CASE("accumulate: takes no memory but the leaf's") {
  const Sum sum(Dtype::f32, Dtype::f32);
  CHECK(sum.session->program().arena_bytes() == 2 * 64);  // x and first
  CHECK(sum.session->program().leaf_bytes(Role::state) == 12);
}

TEST_CASE("accumulate: refuses operands that do not fit") {
  Graph graph;
  const Value first = graph.input("first", {Dtype::i32, kNoRows, {}});
  const Value x = graph.input("x", {Dtype::f32, kNoRows, {3}});
  CHECK_THROWS_WITH_AS(accumulate(graph.state("two", Tensor(Dtype::f32, {2})), x, first),
                       "accumulate: sum is F32 [2], value is F32 [3]; wanted equal dimensions", ShapeError);
  CHECK_THROWS_AS(accumulate(graph.state("i", Tensor(Dtype::i32, {3})), x, first), DtypeError);
  const Value wide = graph.input("wide", {Dtype::f64, kNoRows, {3}});
  const Value sum = graph.state("sum", Tensor(Dtype::f32, {3}));
  CHECK_THROWS_AS(accumulate(sum, wide, first), DtypeError);
  CHECK_THROWS_WITH_AS(accumulate(sum, x, x), "accumulate: first is F32 [3]; wanted I32 []", ShapeError);
}

}  // namespace accumulate_test
