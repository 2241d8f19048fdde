#include "engine/ops/cached_attention.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/runtime/compile.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/naive_attention.h"

namespace cached_attention_test {

using namespace preamble;
using preamble::testing::naive_attention;
using preamble::testing::NaiveAttention;
using preamble::testing::random_tensor;

namespace {

/// Histories of sequences in a cache, scattered; the queries are the last rows of the same sequences.
struct Decoding {
  NaiveAttention whole;             ///< the same computation as attention of one query a segment
  Tensor cache_k, cache_v;          ///< F64 [N, G d]
  std::vector<std::int32_t> table;  ///< [rows, kLongest]
  std::vector<std::int32_t> lengths;
};

constexpr std::int32_t kLongest = 9;

Decoding decoding(const AttentionOptions& options, bool bias, bool prefix) {
  constexpr std::int64_t kDim = 3;
  const std::int64_t kv_width = options.kv_heads * kDim;
  Decoding d;
  d.lengths = {4, 9, 1, 0, 6};
  NaiveAttention& a = d.whole;
  a.options = options;
  for (const auto length : d.lengths) {
    a.k_rows.append(length);
    a.q_rows.append(std::vector<std::int32_t>{length - 1});
  }
  a.q = random_tensor({a.q_rows.rows(), options.heads * kDim}, 1);
  a.k = random_tensor({a.k_rows.rows(), kv_width}, 2);
  a.v = random_tensor({a.k_rows.rows(), kv_width}, 3);
  if (bias) a.bias_table = random_tensor({8, options.heads}, 4);
  if (prefix) {
    a.prefix_rows = Segments(std::vector<std::int32_t>{2, 0, 5});
    a.prefix_k = random_tensor({7, kv_width}, 5);
    a.prefix_v = random_tensor({7, kv_width}, 6);
    a.slots = {2, 0, 1, 2, 0};
  }
  // row r of the packed keys lies at place 7 r mod 31 of the cache
  constexpr std::int64_t kPlaces = 31;
  d.cache_k = random_tensor({kPlaces, kv_width}, 7);
  d.cache_v = random_tensor({kPlaces, kv_width}, 8);
  for (std::int64_t r = 0; r < a.k.dim(0); ++r) {
    for (const auto& [from, to] : {std::pair{&a.k, &d.cache_k}, std::pair{&a.v, &d.cache_v}}) {
      std::copy_n(std::as_const(*from).values<double>().begin() + r * kv_width, kv_width,
                  to->values<double>().begin() + 7 * r % kPlaces * kv_width);
    }
  }
  for (std::int32_t s = 0; s < a.k_rows.count(); ++s) {
    for (std::int32_t j = 0; j < kLongest; ++j) d.table.push_back(j < a.k_rows.length(s) ? 7 * (a.k_rows.offset(s) + j) % kPlaces : -1);
  }
  return d;
}

Tensor run(const Decoding& d, Dtype real = Dtype::f64) {
  const NaiveAttention& a = d.whole;
  Graph graph(real);
  const std::int64_t live = a.q_rows.rows();
  const RowSpaceId rows = graph.rows("beams", live + 2, 1);
  CachedAttentionOperands o;
  o.q = graph.input("q", {real, rows, {a.q.dim(1)}});
  o.cache_k = graph.state("cache_k", d.cache_k.to(real));
  o.cache_v = graph.state("cache_v", d.cache_v.to(real));
  o.table = graph.input("table", {Dtype::i32, rows, {kLongest}});
  o.lengths = graph.input("lengths", {Dtype::i32, rows, {}});
  if (a.bias_table.defined()) o.bias_table = graph.frozen("bias_table", a.bias_table.to(real));
  if (a.prefix_k.defined()) {
    const RowSpaceId prefix = graph.rows("prefix", a.prefix_rows.rows(), a.prefix_rows.count());
    o.prefix_k = graph.frozen("prefix_k", a.prefix_k.to(real), prefix);
    o.prefix_v = graph.frozen("prefix_v", a.prefix_v.to(real), prefix);
    o.slots = graph.input("slots", {Dtype::i32, rows, {}});
  }
  graph.output("o", cached_attention(o, a.options));
  Session session(compile(std::move(graph), {}));
  Segments beams;
  beams.append(a.q_rows.rows());
  session.rows("beams", beams);
  if (a.prefix_k.defined()) session.rows("prefix", a.prefix_rows);
  const Tensor q = a.q.to(real);
  if (real == Dtype::f64) {
    session.set<double>("q", q.values<double>());
  } else {
    session.set<float>("q", q.values<float>());
  }
  session.set<std::int32_t>("table", d.table);
  session.set<std::int32_t>("lengths", d.lengths);
  if (a.prefix_k.defined()) session.set<std::int32_t>("slots", a.slots);
  session.run();
  return session.result_tensor("o");
}

double distance(const Tensor& found, const Tensor& expected) {
  const Tensor wide = found.to(Dtype::f64);
  double worst = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(expected.count()); ++i) {
    const double d = std::abs(std::as_const(wide).values<double>()[i] - expected.values<double>()[i]);
    worst = std::isfinite(d) ? std::max(worst, d) : INFINITY;
  }
  return worst;
}

}  // namespace

TEST_CASE("cached_attention: equals the last row of full attention") {
  for (const bool bias : {false, true}) {
    for (const bool prefix : {false, true}) {
      for (const bool positions : {false, true}) {
        const AttentionOptions options{.heads = 4,
                                       .kv_heads = 2,
                                       .scale = 0.6,
                                       .causal = true,
                                       .relative = {.bidirectional = false, .max_distance = 7},
                                       .prefix_has_positions = positions};
        const Decoding d = decoding(options, bias, prefix);
        CAPTURE(bias);
        CAPTURE(prefix);
        CAPTURE(positions);
        const Tensor expected = naive_attention(d.whole).o;
        CHECK(distance(run(d), expected) < 1e-13);
        CHECK(distance(run(d, Dtype::f32), expected) < 1e-6);
      }
    }
  }
}

TEST_CASE("cached_attention: keys and prefixes leave a window") {
  for (const int window : {1, 3, 7, 100}) {
    for (const bool prefix : {false, true}) {
      const Decoding d = decoding({.heads = 4, .kv_heads = 2, .scale = 0.6, .causal = true, .window = window}, false, prefix);
      CAPTURE(window);
      CAPTURE(prefix);
      const Tensor expected = naive_attention(d.whole).o;
      CHECK(distance(run(d), expected) < 1e-13);
      CHECK(distance(run(d, Dtype::f32), expected) < 1e-6);
    }
  }
}

TEST_CASE("cached_attention: beams share the rows of a common past") {
  const AttentionOptions options{.heads = 2, .kv_heads = 2, .scale = 1, .causal = true};
  Decoding d = decoding(options, false, false);
  // beams 0 and 1 get the same history, and the same query
  std::copy_n(d.table.begin() + kLongest, kLongest, d.table.begin());
  d.lengths[0] = d.lengths[1];
  const auto q = d.whole.q.values<double>();
  std::copy_n(q.begin() + d.whole.q.dim(1), d.whole.q.dim(1), q.begin());
  const Tensor o = run(d);
  const auto values = std::as_const(o).values<double>();
  for (std::size_t c = 0; c < static_cast<std::size_t>(o.dim(1)); ++c) CHECK(values[c] == values[c + static_cast<std::size_t>(o.dim(1))]);
}

TEST_CASE("cached_attention: a row without history and prefix gives zeros") {
  const Tensor o = run(decoding({.heads = 2, .kv_heads = 1, .causal = true}, false, false));
  for (std::size_t c = 0; c < static_cast<std::size_t>(o.dim(1)); ++c)
    CHECK(o.values<double>()[3 * static_cast<std::size_t>(o.dim(1)) + c] == 0);
}

TEST_CASE("cached_attention: results do not depend on the number of threads") {
  const Decoding d = decoding({.heads = 4, .kv_heads = 2, .scale = 0.6, .causal = true}, true, true);
  set_threads(1);
  const Tensor one = run(d, Dtype::f32);
  set_threads(2);
  const Tensor two = run(d, Dtype::f32);
  set_threads(0);
  CHECK(std::memcmp(one.data(), two.data(), one.bytes()) == 0);
}

TEST_CASE("cached_attention: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 4, 1);
  CachedAttentionOperands o;
  o.q = graph.input("q", {Dtype::f32, rows, {8}});
  o.cache_k = graph.state("cache_k", Tensor(Dtype::f32, {10, 4}));
  o.cache_v = graph.state("cache_v", Tensor(Dtype::f32, {11, 4}));
  o.table = graph.input("table", {Dtype::i32, rows, {16}});
  o.lengths = graph.input("lengths", {Dtype::i32, rows, {}});
  const AttentionOptions options{.heads = 4, .kv_heads = 2};
  CHECK_THROWS_WITH_AS(cached_attention(o, options), "cached_attention: cache_v is F32 [11, 4]; wanted [N, 4], the same for both",
                       ShapeError);
  o.cache_v = o.cache_k;
  CHECK_NOTHROW(cached_attention(o, options));
  CHECK_THROWS_WITH_AS(cached_attention(o, {.heads = 4, .kv_heads = 4}),
                       "cached_attention: cache_k is F32 [10, 4]; wanted [N, 8], the same for both", ShapeError);
  CachedAttentionOperands swapped = o;
  swapped.table = o.lengths;
  CHECK_THROWS_WITH_AS(cached_attention(swapped, options),
                       "cached_attention: table is I32 rows[4] x []; wanted I32 in the rows of q, F32 rows[4] x [8], L of them a row",
                       ShapeError);
}

}  // namespace cached_attention_test
