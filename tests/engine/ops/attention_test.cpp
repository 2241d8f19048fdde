#include "engine/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "tests/support/attention_cases.h"
#include "tests/support/residence.h"

namespace attention_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

void check_values(const NaiveAttention& a) {
  const NaiveResult expected = naive_attention(a);
  CHECK(distance(evaluate(graph_of(a)), expected.o) < 1e-13);
  CHECK(distance(evaluate(graph_of(a, 1)), expected.log_sum_exp) < 1e-13);
  CHECK(distance(evaluate(graph_of(a), Dtype::f32), expected.o) < 1e-6);
  CHECK(distance(evaluate(graph_of(a, 1), Dtype::f32), expected.log_sum_exp) < 1e-6);
}

}  // namespace

TEST_CASE("attention: two keys by hand") {
  const Segments rows = segments_of({2});
  NaiveAttention a{{.heads = 1, .scale = 1}, rows, rows};
  const auto tensor = [](std::initializer_list<double> values) {
    Tensor t(Dtype::f64, {2, 1});
    std::ranges::copy(values, t.values<double>().begin());
    return t;
  };
  a.q = tensor({1, 0});
  a.k = tensor({std::log(3.0), 0});
  a.v = tensor({4, 8});
  const Tensor o = evaluate(graph_of(a));
  CHECK(o.values<double>()[0] == doctest::Approx(0.75 * 4 + 0.25 * 8));
  CHECK(o.values<double>()[1] == doctest::Approx(6));
  a.options.causal = true;
  const Tensor causal = evaluate(graph_of(a));
  CHECK(causal.values<double>()[0] == 4);
  CHECK(causal.values<double>()[1] == doctest::Approx(6));
}

TEST_CASE("attention: every variant gives what plain loops give") {
  for (const auto& [name, a] : small_attention_cases()) {
    CAPTURE(name);
    check_values(a);
  }
}

TEST_CASE("attention: blocks of queries give what plain loops give") {
  check_values(large_attention_case(false));
  check_values(large_attention_case(true));
  check_values(large_context_case());
  check_values(large_disentangled_case());
}

TEST_CASE("attention: large scores do not overflow") {
  NaiveAttention a = filled({{.heads = 1, .scale = 300}, segments_of({5}), segments_of({5})}, {.dim = 4});
  const Tensor large = evaluate(graph_of(a), Dtype::f32);
  for (const float o : large.values<float>()) CHECK(std::isfinite(o));
  a.options.scale = 100;
  CHECK(distance(evaluate(graph_of(a)), naive_attention(a).o) < 1e-12);
}

TEST_CASE("attention: gradients of every variant for every subset of operands" * doctest::test_suite(kManyRuns)) {
  for (const auto& [name, a] : small_attention_cases()) {
    CAPTURE(name);
    check_gradients(graph_of(a));
  }
}

TEST_CASE("attention: gradients in float are those in double") {
  for (const NaiveAttention& a : {large_attention_case(false), large_attention_case(true), large_context_case(), large_disentangled_case()}) {
    const auto wide = run_all(a, Dtype::f64);
    const auto narrow = run_all(a, Dtype::f32);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      CAPTURE(wide[i].first);
      CHECK(distance(narrow[i].second, wide[i].second) < 2e-6);
    }
  }
}

TEST_CASE("attention: results do not depend on the number of threads") {
  for (const NaiveAttention& a : {large_attention_case(true), large_context_case(), large_disentangled_case()}) {
    set_threads(1);
    const auto one = run_all(a, Dtype::f32);
    set_threads(2);
    const auto two = run_all(a, Dtype::f32);
    set_threads(0);
    for (std::size_t i = 0; i < one.size(); ++i) {
      CAPTURE(one[i].first);
      CHECK(std::memcmp(one[i].second.data(), two[i].second.data(), one[i].second.bytes()) == 0);
    }
  }
}

TEST_CASE("attention: the backward pass keeps queries, keys, values and one number a row and head") {
  const auto a = small_attention_cases().at(4).second;
  const std::vector<std::string> expected{"attention#1", "k", "prefix_k", "prefix_v", "q", "v"};
  CHECK(kept_values(graph_of(a), {"k", "prefix_k", "prefix_v"}) == expected);
  CHECK(kept_values(graph_of(a), {"q"}) == expected);
  // the prefix alone: the output stands in for the other keys and values
  const std::vector<std::string> alone{"attention#0", "attention#1", "prefix_k", "prefix_v", "q"};
  CHECK(kept_values(graph_of(a), {"prefix_k", "prefix_v"}) == alone);
}

TEST_CASE("attention: no rows at all are fine") {
  const auto none = segments_of({0, 0});
  const NaiveAttention a = filled({{.heads = 2, .kv_heads = 1}, none, none}, {.dim = 2});
  CHECK(evaluate(graph_of(a)).count() == 0);
}

TEST_CASE("attention: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 8, 2);
  const RowSpaceId others = graph.rows("others", 6, 3);
  auto input = [&, n = 0](Type type) mutable { return graph.input(fmt::format("x{}", n++), std::move(type)); };
  const Value x = input({Dtype::f32, rows, {12}});
  const Value y = input({Dtype::f32, others, {12}});
  const AttentionOptions two{.heads = 2, .kv_heads = 2};
  CHECK_THROWS_WITH_AS(attention({x, x, x}, {.heads = 4, .kv_heads = 3}),
                       "attention: 4 heads and 3 kv_heads were given; wanted positive numbers of which the second divides the first",
                       ConfigError);
  CHECK_THROWS_WITH_AS(attention({x, x, x}, {.heads = 5, .kv_heads = 5}),
                       "attention: q is F32 rows[8] x [12]; wanted a width that 5 heads divide", ShapeError);
  CHECK_THROWS_WITH_AS(attention({x, x, x}, {.heads = 4, .kv_heads = 2}), "attention: k is F32 rows[8] x [12]; wanted rows of 6 elements",
                       ShapeError);
  CHECK_THROWS_WITH_AS(attention({x, x, y}, two), "attention: k is F32 rows[8] x [12] and v is F32 others[6] x [12]; wanted one row space",
                       ShapeError);
  const Value contexts = input({Dtype::i32, kNoRows, {2}});
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .context = contexts}, two),
                       "attention: a context was given without causal; wanted both or neither", ConfigError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .context = input({Dtype::i32, kNoRows, {3}})},
                                 {.heads = 2, .kv_heads = 2, .causal = true}),
                       "attention: context is I32 [3]; wanted I32 [2] (segments of q)", ShapeError);
  const Value table = input({Dtype::f32, kNoRows, {32, 3}});
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .bias_table = table}, two),
                       "attention: bias_table is F32 [32, 3]; wanted [buckets, 2]", ShapeError);
  const Value small = input({Dtype::f32, kNoRows, {32, 2}});
  AttentionOptions near = two;
  near.relative.max_distance = 8;
  CHECK_THROWS_WITH_AS(
      attention({.q = x, .k = x, .v = x, .bias_table = small}, near),
      "attention: 16 buckets a direction and a max_distance of 8 were given; wanted at least 2 and a distance from 9 to 1048576",
      ConfigError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .prefix_k = y}, two),
                       "attention: one of prefix_k and prefix_v is absent; wanted both or neither", ShapeError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .prefix_k = y, .prefix_v = x}, two),
                       "attention: prefix_k is F32 others[6] x [12] and prefix_v is F32 rows[8] x [12]; wanted one row space", ShapeError);
  const RowSpaceId distances = graph.rows("distances", 16, 1);
  const Value positions = input({Dtype::f32, distances, {12}});
  AttentionOptions deberta = two;
  deberta.disentangled = {.buckets = 8, .max_distance = 16};
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .position_k = y}, deberta),
                       "attention: position_k is F32 others[6] x [12]; wanted 16 rows or more", ShapeError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .bias_table = small, .position_q = positions}, deberta),
                       "attention: a bias table and position tables were given; wanted one kind", ShapeError);
  deberta.disentangled.max_distance = 5;
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .position_q = positions}, deberta),
                       "attention: 8 buckets and a max_distance of 5 were given; wanted an even number and a distance from 6 to 1048576",
                       ConfigError);
  const Value slots = input({Dtype::i32, kNoRows, {3}});
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .slots = slots}, two),
                       "attention: slots were given without a prefix; wanted both or neither", ShapeError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .prefix_k = y, .prefix_v = y, .slots = slots}, two),
                       "attention: slots is I32 [3]; wanted I32 [2] (segments of q)", ShapeError);
  CHECK_THROWS_WITH_AS(attention({.q = x, .k = x, .v = x, .kv_segment = slots}, two),
                       "attention: kv_segment is I32 [3]; wanted I32 [2] (segments of q)", ShapeError);
}

}  // namespace attention_test
