#include "engine/ops/attention_dropout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/ops/linear.h"
#include "tests/support/attention_cases.h"
#include "tests/support/residence.h"
#include "tests/support/values.h"

namespace attention_dropout_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

NaiveAttention with_dropout(NaiveAttention a, double rate, std::uint32_t stream = 7) {
  a.options.dropout = {rate, stream};
  return a;
}

std::vector<NaiveAttention> large_cases() {
  std::vector<NaiveAttention> cases;
  for (const NaiveAttention& a : {large_attention_case(false), large_attention_case(true), large_disentangled_case()})
    cases.push_back(with_dropout(a, 0.1));
  return cases;
}

/// One head whose scores are all equal and whose values are ones: output · keys is the sum of a row's factors.
NaiveAttention uniform_case(double rate, std::int32_t rows, std::int32_t keys) {
  NaiveAttention a{{.heads = 1}, segments_of({rows}), segments_of({keys})};
  a.q = Tensor(Dtype::f64, {rows, 1});
  a.k = Tensor(Dtype::f64, {keys, 1});
  a.v = doubles({keys, 1}, std::vector<double>(static_cast<std::size_t>(keys), 1.0));
  return with_dropout(a, rate);
}

}  // namespace

TEST_CASE("attention dropout: every variant gives what plain loops give") {
  for (const auto& [name, plain] : small_attention_cases()) {
    CAPTURE(name);
    const NaiveAttention a = with_dropout(plain, 0.4);
    const NaiveResult expected = naive_attention(a);
    CHECK(distance(evaluate(graph_of(a)), expected.o) < 1e-13);
    CHECK(distance(evaluate(graph_of(a, 1)), expected.log_sum_exp) < 1e-13);
    CHECK(distance(naive_attention(plain).o, expected.o) > 0.01);
  }
  for (const NaiveAttention& a : large_cases()) {
    CHECK(distance(evaluate(graph_of(a)), naive_attention(a).o) < 1e-13);
    CHECK(distance(evaluate(graph_of(a), Dtype::f32), naive_attention(a).o) < 1e-6);
  }
}

TEST_CASE("attention dropout: gradients of every variant for every subset of operands" * doctest::test_suite(kManyRuns)) {
  for (const auto& [name, a] : small_attention_cases()) {
    CAPTURE(name);
    check_gradients(graph_of(with_dropout(a, 0.4)));
  }
}

TEST_CASE("attention dropout: gradients in float are those in double") {
  for (const NaiveAttention& a : large_cases()) {
    const auto wide = run_all(a, Dtype::f64);
    const auto narrow = run_all(a, Dtype::f32);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      CAPTURE(wide[i].first);
      CHECK(distance(narrow[i].second, wide[i].second) < 2e-6);
    }
  }
}

TEST_CASE("attention dropout: the gradient of a prefix alone has the masks of all gradients") {
  NaiveAttention a = large_attention_case(true);
  a.options.prefix_has_positions = false;
  a = with_dropout(a, 0.3);
  const auto all = run_all(a, Dtype::f64);
  const auto alone = run_all(a, Dtype::f64, {"prefix_k", "prefix_v"});
  REQUIRE(alone.size() == 3);
  for (const auto& [name, gradient] : alone) {
    CAPTURE(name);
    const auto found = std::ranges::find(all, name, &std::pair<std::string, Tensor>::first);
    REQUIRE(found != all.end());
    CHECK(distance(gradient, found->second) < 1e-12);
  }
}

TEST_CASE("attention dropout: results do not depend on the number of threads") {
  for (const NaiveAttention& a : large_cases()) {
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

TEST_CASE("attention dropout: drops the given share and keeps the mean") {
  constexpr std::int32_t kRows = 200;
  constexpr std::int32_t kKeys = 333;
  for (const double rate : {0.1, 0.5, 0.9}) {
    double sum = 0;
    for (const double o : numbers(evaluate(graph_of(uniform_case(rate, kRows, kKeys))))) {
      sum += o;
      // each factor is 0 or the same number
      const double kept = o * kKeys * (1 - rate);
      CHECK(kept == doctest::Approx(std::round(kept)).epsilon(1e-4));
    }
    // six standard deviations
    CHECK(std::abs(sum / kRows - 1) < 6 * std::sqrt(rate / (1 - rate) / (kRows * kKeys)));
  }
}

TEST_CASE("attention dropout: masks differ by key and stream, row and head") {
  const NaiveAttention a = uniform_case(0.5, 40, 50);
  const auto first = numbers(evaluate(graph_of(a)));
  CHECK(numbers(evaluate(graph_of(a))) == first);
  NaiveAttention other = a;
  other.dropout_key[1] = -4;
  CHECK(numbers(evaluate(graph_of(other))) != first);
  other = a;
  other.options.dropout.stream = 8;
  CHECK(numbers(evaluate(graph_of(other))) != first);
  CHECK(std::ranges::adjacent_find(first, std::not_equal_to<>()) != first.end());
  NaiveAttention heads = a;
  heads.options.heads = heads.options.kv_heads = 2;
  heads = filled(heads, {.dim = 1});
  std::ranges::fill(heads.q.values<double>(), 0.0);
  std::ranges::fill(heads.v.values<double>(), 1.0);
  const auto both = numbers(evaluate(graph_of(heads)));
  std::size_t equal = 0;
  for (std::size_t i = 0; i < both.size(); i += 2) equal += both[i] == both[i + 1] ? 1 : 0;
  CHECK(equal < both.size() / 4);
}

TEST_CASE("attention dropout: queries that absorb projections keep their masks") {
  const NaiveAttention shape = filled({{.heads = 2, .kv_heads = 2}, segments_of({2, 1}), segments_of({20, 17})}, {.dim = 3});
  GradientCase test = graph_of(with_dropout(shape, 0.4));
  test.operands[1] = {"e", random_tensor({37, 5}, 2), "k"};
  test.operands[2] = {"wk", random_tensor({6, 5}, 3), "", false};
  test.operands.insert(test.operands.begin() + 3, {"wv", random_tensor({6, 5}, 4), "", false});
  test.build = [](Graph&, const std::vector<Value>& v) {
    const AttentionOptions options{.heads = 2, .kv_heads = 2, .dropout = {0.4, 7}};
    return attention({.q = v[0], .k = linear(v[1], v[2]), .v = linear(v[1], v[3]), .dropout_key = v[4]}, options);
  };
  check_close(evaluate(test, Dtype::f64, true), numbers(evaluate(test, Dtype::f64, false)), 1e-13);
  check_gradients(test);
}

TEST_CASE("attention dropout: keeps nothing more") {
  const auto a = small_attention_cases().at(4).second;
  for (const auto& trained : {std::vector<std::string>{"k"}, {"q", "v"}, {"prefix_k", "prefix_v"}})
    CHECK(kept_values(graph_of(with_dropout(a, 0.4)), trained) == kept_values(graph_of(a), trained));
}

TEST_CASE("attention dropout: a rate of 0 is the same graph") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  const Value key = graph.input("key", {Dtype::i32, kNoRows, {2}});
  const std::size_t operands = graph.node(attention({x, x, x}, {})).inputs.size();
  CHECK(graph.node(attention({.q = x, .k = x, .v = x, .dropout_key = key}, {})).inputs.size() == operands);
}

TEST_CASE("attention dropout: rejects rates and keys that do not fit") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  const Value key = graph.input("key", {Dtype::i32, kNoRows, {2}});
  const Value real = graph.input("real", {Dtype::f32, kNoRows, {2}});
  const auto dropped = [&](Value with, double rate) {
    return attention({.q = x, .k = x, .v = x, .dropout_key = with}, {.dropout = {rate, 0}});
  };
  CHECK_THROWS_WITH_AS(dropped(key, 1), "attention: a rate of dropout of 1 was given; wanted a number from 0 to below 1", ConfigError);
  CHECK_THROWS_WITH_AS(dropped(key, -0.5), "attention: a rate of dropout of -0.5 was given; wanted a number from 0 to below 1",
                       ConfigError);
  CHECK_THROWS_WITH_AS(dropped(real, 0.5), "attention: dropout_key is F32 [2]; wanted I32", DtypeError);
  CHECK_THROWS_AS(dropped({}, 0.5), ShapeError);
}

}  // namespace attention_dropout_test
