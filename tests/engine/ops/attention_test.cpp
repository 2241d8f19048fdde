#include "engine/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/naive_attention.h"

using namespace preamble;
using preamble::testing::check_gradients;
using preamble::testing::GradientCase;
using preamble::testing::naive_attention;
using preamble::testing::NaiveAttention;
using preamble::testing::random_tensor;

namespace {

Segments segments_of(std::initializer_list<std::int32_t> lengths) { return Segments(std::vector<std::int32_t>(lengths)); }

/// Which operands a case has beside q, k and v.
struct Shape {
  std::int64_t dim = 4;
  std::int64_t buckets = 0;  ///< 0: no bias table
  bool prefix = false;
  bool position_k = false, position_q = false;
};

/// Fills the tensors of a case with random numbers for its options and row spaces.
NaiveAttention filled(NaiveAttention a, const Shape& shape, std::uint64_t seed = 1) {
  const std::int64_t q_width = a.options.heads * shape.dim;
  const std::int64_t kv_width = a.options.kv_heads * shape.dim;
  a.q = random_tensor({a.q_rows.rows(), q_width}, seed);
  a.k = random_tensor({a.k_rows.rows(), kv_width}, seed + 1);
  a.v = random_tensor({a.k_rows.rows(), kv_width}, seed + 2);
  if (shape.buckets > 0) a.bias_table = random_tensor({shape.buckets, a.options.heads}, seed + 3);
  if (shape.prefix) {
    a.prefix_k = random_tensor({a.prefix_rows.rows(), kv_width}, seed + 4);
    a.prefix_v = random_tensor({a.prefix_rows.rows(), kv_width}, seed + 5);
  }
  const std::int64_t positions = 2 * a.options.disentangled.span();
  if (shape.position_k) a.position_k = random_tensor({positions, q_width}, seed + 6);
  if (shape.position_q) a.position_q = random_tensor({positions, q_width}, seed + 7);
  return a;
}

/// Indices of segments as an operand: a batch may have fewer segments than the capacity.
Tensor indices(const std::vector<std::int32_t>& values) {
  std::vector<std::int32_t> padded(values);
  padded.push_back(-77);
  return tensor_of({static_cast<std::int64_t>(padded.size())}, std::span<const std::int32_t>(padded));
}

/// The case as a graph. `output` is that of the op: o or log_sum_exp.
GradientCase graph_of(const NaiveAttention& a, std::int32_t output = 0) {
  GradientCase test;
  // self-attention has one row space
  const bool self = a.q_rows.layout().positions == nullptr && a.k_rows.layout().positions == nullptr && a.kv_segment.empty() &&
                    std::ranges::equal(a.q_rows.offsets(), a.k_rows.offsets());
  const std::string keys = self ? "q" : "k";
  test.spaces.emplace_back("q", a.q_rows);
  if (!self) test.spaces.emplace_back("k", a.k_rows);
  if (a.prefix_k.defined()) test.spaces.emplace_back("prefix", a.prefix_rows);
  test.operands = {{"q", a.q, "q"}, {"k", a.k, keys}, {"v", a.v, keys}};
  std::vector<std::size_t> places{0, 1, 2};
  const auto add = [&](std::size_t place, testing::Operand operand) {
    places.push_back(place);
    test.operands.push_back(std::move(operand));
  };
  if (a.bias_table.defined()) add(3, {"bias_table", a.bias_table});
  if (a.prefix_k.defined()) add(4, {"prefix_k", a.prefix_k, "prefix"});
  if (a.prefix_v.defined()) add(5, {"prefix_v", a.prefix_v, "prefix"});
  if (a.position_k.defined() || a.position_q.defined())
    test.spaces.emplace_back("positions", segments_of({2 * a.options.disentangled.span()}));
  if (a.position_k.defined()) add(6, {"position_k", a.position_k, "positions"});
  if (a.position_q.defined()) add(7, {"position_q", a.position_q, "positions"});
  if (!a.slots.empty()) add(8, {"slots", indices(a.slots)});
  if (!a.kv_segment.empty()) add(9, {"kv_segment", indices(a.kv_segment)});
  test.build = [options = a.options, places, output](Graph& graph, const std::vector<Value>& values) {
    std::vector<Value> all(10);
    for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = values[i];
    const Value o = attention({all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7], all[8], all[9]}, options);
    return Value{&graph, o.node, output};
  };
  return test;
}

/// Largest difference relative to the largest element; F32 or F64 against F64.
double distance(const Tensor& found, const Tensor& expected) {
  const Tensor wide = found.to(Dtype::f64);
  const auto a = std::as_const(wide).values<double>();
  const auto b = expected.values<double>();
  REQUIRE(a.size() == b.size());
  double worst = 0;
  double largest = 1e-300;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

void check_values(const NaiveAttention& a) {
  const testing::NaiveResult expected = naive_attention(a);
  CHECK(distance(testing::evaluate(graph_of(a)), expected.o) < 1e-13);
  CHECK(distance(testing::evaluate(graph_of(a, 1)), expected.log_sum_exp) < 1e-13);
  CHECK(distance(testing::evaluate(graph_of(a), Dtype::f32), expected.o) < 1e-6);
  CHECK(distance(testing::evaluate(graph_of(a, 1), Dtype::f32), expected.log_sum_exp) < 1e-6);
}

/// The variants of attention, small. With a prefix: slots of 3, 0, 2 and 1 rows, the last of which nobody uses.
std::vector<std::pair<std::string, NaiveAttention>> small_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const Segments ragged = segments_of({3, 0, 5, 1});
  const Segments slots = segments_of({3, 0, 2, 1});
  const std::vector<std::int32_t> used{2, 0, 0, 1};
  const AttentionOptions two{.heads = 2, .kv_heads = 2, .scale = 0.5};
  AttentionOptions causal = two;
  causal.causal = true;
  const Shape bias{.dim = 2, .buckets = 8};
  const Shape prefix{.dim = 2, .prefix = true};
  const Shape both{.dim = 2, .buckets = 8, .prefix = true};

  cases.emplace_back("full", filled({two, ragged, ragged}, {.dim = 3}));
  cases.emplace_back("causal", filled({causal, ragged, ragged}, {.dim = 3}));
  cases.emplace_back("cross", filled({two, ragged, segments_of({2, 4, 0, 7})}, {.dim = 2}));
  cases.emplace_back("one prefix for all", filled({causal, ragged, ragged, segments_of({4})}, prefix));
  NaiveAttention slotted = filled({two, ragged, ragged, slots}, prefix);
  slotted.slots = used;
  cases.emplace_back("prefix slots", slotted);
  slotted.slots = {-1, 0, 99, 3};
  cases.emplace_back("slots that do not exist", slotted);

  Segments gathered;
  for (const auto& positions : {std::vector<std::int32_t>{0, 2}, {}, {1, 3, 4}, {0}}) gathered.append(positions);
  cases.emplace_back("gathered queries", filled({causal, gathered, ragged}, {.dim = 2}));
  NaiveAttention apart = filled({causal, gathered, Segments{}, slots}, both);
  for (const auto& positions : {std::vector<std::int32_t>{1, 2, 9}, {5}, {0, 3, 4, 5, 8}, {7}}) apart.k_rows.append(positions);
  apart = filled(apart, both);
  apart.slots = used;
  apart.options.relative = {.bidirectional = true, .max_distance = 5};
  apart.options.prefix_has_positions = true;
  cases.emplace_back("positions on both sides", apart);

  NaiveAttention beams = filled({two, segments_of({1, 2, 1, 2, 1}), segments_of({3, 2, 4})}, {.dim = 2});
  beams.kv_segment = {2, 0, 2, 0, -1};
  cases.emplace_back("kv_segment", beams);
  AttentionOptions grouped = causal;
  grouped.heads = 6;
  cases.emplace_back("grouped heads", filled({grouped, ragged, ragged, segments_of({2})}, prefix));

  AttentionOptions t5 = two;
  t5.scale = 1;
  t5.relative = {.bidirectional = true, .max_distance = 4};
  cases.emplace_back("T5 bias, both directions", filled({t5, segments_of({7, 2}), segments_of({7, 2})}, bias));
  t5.causal = true;
  t5.relative = {.bidirectional = false, .max_distance = 6};
  NaiveAttention decoder = filled({t5, ragged, ragged, slots}, both);
  decoder.slots = used;
  cases.emplace_back("T5 bias, causal, prefix without positions", decoder);
  decoder.options.prefix_has_positions = true;
  cases.emplace_back("T5 bias, causal, prefix with positions", decoder);

  AttentionOptions deberta = two;
  deberta.disentangled = {.buckets = 4, .max_distance = 6};
  const Segments longer = segments_of({7, 0, 12, 1});
  const auto tables = [](bool key, bool query) { return Shape{.dim = 2, .prefix = true, .position_k = key, .position_q = query}; };
  cases.emplace_back("position keys", filled({deberta, longer, longer, segments_of({2})}, tables(true, false)));
  cases.emplace_back("position queries", filled({deberta, longer, longer, segments_of({2})}, tables(false, true)));
  NaiveAttention disentangled = filled({deberta, longer, longer, slots}, tables(true, true));
  disentangled.slots = used;
  cases.emplace_back("both position tables, prefix slots", disentangled);
  deberta.disentangled = {.buckets = 0, .max_distance = 3};
  deberta.causal = true;
  NaiveAttention rows_apart = filled({deberta, gathered, longer, slots}, tables(true, true));
  rows_apart.slots = used;
  cases.emplace_back("position tables without buckets, gathered queries, causal", rows_apart);
  deberta.causal = false;
  NaiveAttention listed = filled({deberta, gathered, Segments{}, slots}, tables(true, true));
  for (const auto& positions : {std::vector<std::int32_t>{1, 2, 9}, {5}, {0, 3, 4, 5, 8}, {7}}) listed.k_rows.append(positions);
  listed = filled(listed, tables(true, true));
  cases.emplace_back("position tables, listed keys", listed);
  return cases;
}

/// A case large enough for several blocks of queries and for the matrix library.
NaiveAttention large_case(bool causal) {
  const AttentionOptions options{
      .heads = 4, .kv_heads = 2, .scale = 0.25, .causal = causal, .relative = {.bidirectional = !causal}, .prefix_has_positions = true};
  const Segments rows = segments_of({230, 0, 17, 96, 1, 120});
  NaiveAttention a = filled({options, rows, rows, segments_of({20, 0, 33})}, {.dim = 16, .buckets = 32, .prefix = true});
  a.slots = {2, 0, 1, 0, 2, 0};
  return a;
}

/// The same with position tables: bands of several blocks and panels.
NaiveAttention large_disentangled_case() {
  NaiveAttention a = large_case(false);
  a.options.kv_heads = 4;
  a.options.prefix_has_positions = false;
  a.options.disentangled = {.buckets = 32, .max_distance = 128};
  a.bias_table = {};
  return filled(a, {.dim = 16, .prefix = true, .position_k = true, .position_q = true});
}

/// Output and gradients of all operands of a case, by name.
std::vector<std::pair<std::string, Tensor>> run_all(const NaiveAttention& a, Dtype real) {
  const GradientCase test = graph_of(a);
  Graph graph(real);
  for (const auto& [name, rows] : test.spaces) graph.rows(name, rows.rows(), rows.count() + 1);
  std::vector<Value> values;
  for (const auto& [name, tensor, space, differentiable] : test.operands) {
    const RowSpaceId rows = space.empty() ? kNoRows : graph.rows(space);
    values.push_back(tensor.dtype() == Dtype::i32 ? graph.input(name, {Dtype::i32, rows, tensor.dims()})
                                                  : graph.trainable(name, tensor.to(real).clone(), rows));
  }
  const Value o = test.build(graph, values);
  graph.output("o", o);
  graph.output("loss", dot(o, graph.frozen("direction", random_tensor(a.q.dims(), 99).to(real), graph.rows("q"))));
  CompileOptions options;
  options.loss = "loss";
  Session session(compile(std::move(graph), options));
  for (const auto& [name, rows] : test.spaces) session.rows(name, rows);
  for (const auto& operand : test.operands) {
    if (operand.values.dtype() == Dtype::i32) session.set<std::int32_t>(operand.name, operand.values.values<std::int32_t>());
  }
  session.run();
  std::vector<std::pair<std::string, Tensor>> results{{"o", session.result_tensor("o")}};
  for (const auto& operand : test.operands) {
    if (operand.values.dtype() != Dtype::i32) results.emplace_back(operand.name, session.result_tensor("grad." + operand.name));
  }
  return results;
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
  const Tensor o = testing::evaluate(graph_of(a));
  CHECK(o.values<double>()[0] == doctest::Approx(0.75 * 4 + 0.25 * 8));
  CHECK(o.values<double>()[1] == doctest::Approx(6));
  a.options.causal = true;
  const Tensor causal = testing::evaluate(graph_of(a));
  CHECK(causal.values<double>()[0] == 4);
  CHECK(causal.values<double>()[1] == doctest::Approx(6));
}

TEST_CASE("attention: every variant gives what plain loops give") {
  for (const auto& [name, a] : small_cases()) {
    CAPTURE(name);
    check_values(a);
  }
}

TEST_CASE("attention: blocks of queries give what plain loops give") {
  check_values(large_case(false));
  check_values(large_case(true));
  check_values(large_disentangled_case());
}

TEST_CASE("attention: large scores do not overflow") {
  NaiveAttention a = filled({{.heads = 1, .scale = 300}, segments_of({5}), segments_of({5})}, {.dim = 4});
  const Tensor large = testing::evaluate(graph_of(a), Dtype::f32);
  for (const float o : large.values<float>()) CHECK(std::isfinite(o));
  a.options.scale = 100;
  CHECK(distance(testing::evaluate(graph_of(a)), naive_attention(a).o) < 1e-12);
}

TEST_CASE("attention: gradients of every variant for every subset of operands") {
  for (const auto& [name, a] : small_cases()) {
    CAPTURE(name);
    check_gradients(graph_of(a));
  }
}

TEST_CASE("attention: gradients in float are those in double") {
  for (const NaiveAttention& a : {large_case(false), large_case(true), large_disentangled_case()}) {
    const auto wide = run_all(a, Dtype::f64);
    const auto narrow = run_all(a, Dtype::f32);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      CAPTURE(wide[i].first);
      CHECK(distance(narrow[i].second, wide[i].second) < 2e-6);
    }
  }
}

TEST_CASE("attention: results do not depend on the number of threads") {
  for (const NaiveAttention& a : {large_case(true), large_disentangled_case()}) {
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
  const auto a = small_cases().at(4).second;
  const std::vector<std::string> expected{"attention#1", "k", "prefix_k", "prefix_v", "q", "v"};
  CHECK(testing::kept_values(graph_of(a), {"k", "prefix_k", "prefix_v"}) == expected);
  CHECK(testing::kept_values(graph_of(a), {"q"}) == expected);
  // the prefix alone: the output stands in for the other keys and values
  const std::vector<std::string> alone{"attention#0", "attention#1", "prefix_k", "prefix_v", "q"};
  CHECK(testing::kept_values(graph_of(a), {"prefix_k", "prefix_v"}) == alone);
}

TEST_CASE("attention: no rows at all are fine") {
  const auto none = segments_of({0, 0});
  const NaiveAttention a = filled({{.heads = 2, .kv_heads = 1}, none, none}, {.dim = 2});
  CHECK(testing::evaluate(graph_of(a)).count() == 0);
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
