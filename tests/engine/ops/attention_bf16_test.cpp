// Attention of bf16 activations on the CPU: operands rounded to bf16, scores and sums in float32.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/ops/attention.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/attention_cases.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace attention_bf16_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

double largest_of(const Tensor& x) {
  double largest = 0;
  for (const double value : x.values<double>()) largest = std::max(largest, std::abs(value));
  return largest;
}

/// Results and gradients are those of float64 within a few units of bf16, and the same bits whatever the number of threads.
void check_bf16(const std::string& name, const NaiveAttention& a) {
  CAPTURE(name);
  constexpr double kTolerance = 0.04;
  const auto expected = run_all(a, Dtype::f64);
  std::vector<std::pair<std::string, Tensor>> first;
  for (const int threads : {1, 3}) {
    const Threads limit(threads);
    const auto found = run_all(a, Dtype::bf16);
    REQUIRE(found.size() == expected.size());
    // sums of bf16 terms lose as much where they cancel
    const double terms = largest_of(expected.front().second);
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(found[i].first);
      CHECK(distance(found[i].second, expected[i].second, terms) < kTolerance);
      if (threads > 1) CHECK(std::memcmp(found[i].second.data(), first[i].second.data(), found[i].second.bytes()) == 0);
    }
    first = found;
  }
}

/// Output and gradients where keys and values are one value, as where a compiler has absorbed their projections.
std::vector<Tensor> run_joint(Dtype real, const AttentionOptions& options, std::int64_t dim) {
  const std::vector<std::int32_t> queries{40, 0, 7, 1}, keys{70, 3, 130, 2, 5};
  Graph graph(real);
  const RowSpaceId q_rows = graph.rows("q", 48, 4), k_rows = graph.rows("k", 210, 5);
  const auto operand = [&](const char* name, RowSpaceId rows, std::int64_t count, std::int64_t width, std::uint64_t seed) {
    const Tensor values = random_tensor({count, width}, seed).to(Dtype::bf16);
    return cast(graph.trainable(name, values.to(graph.statistic()).clone(), rows), real);
  };
  const Value q = operand("q", q_rows, 48, options.heads * dim, 1), k = operand("k", k_rows, 210, options.kv_heads * dim, 2);
  const Value o = attention({.q = q, .k = k, .v = k}, options);
  graph.output("o", o);
  graph.output("loss", dot(o, graph.frozen("direction", random_tensor({48, options.heads * dim}, 9).to(Dtype::bf16).to(real), q_rows)));
  CompileOptions compile_options;
  compile_options.loss = "loss";
  Session session(compile(std::move(graph), compile_options));
  session.rows("q", Segments(queries));
  session.rows("k", Segments(keys));
  session.run();
  return {session.result_tensor("o"), session.result_tensor("grad.q"), session.result_tensor("grad.k")};
}

AttentionOptions options_of(int heads, int kv_heads, bool causal) {
  return {.heads = heads, .kv_heads = kv_heads, .scale = 0.3, .causal = causal};
}

}  // namespace

TEST_CASE("attention in bf16: heads of any width, causal, prefixes of slots, grouped heads") {
  const Segments ragged = segments_of({150, 0, 33, 1}), slots = segments_of({10, 0, 37});
  for (const std::int64_t dim : {8, 24, 64, 80}) {
    NaiveAttention a = filled({options_of(2, 2, true), ragged, ragged, slots}, {.dim = dim, .prefix = true});
    a.slots = {2, 0, 5, 0};
    check_bf16(fmt::format("causal, prefix slots, heads of {}", dim), a);
  }
  check_bf16("grouped heads", filled({options_of(6, 2, false), ragged, ragged, segments_of({10})}, {.dim = 40, .prefix = true}));
}

TEST_CASE("attention in bf16: other keys than those of the queries, several queries of one segment of keys") {
  const AttentionOptions both = options_of(2, 2, false);
  check_bf16("few queries, many keys", filled({both, segments_of({5, 9, 0, 17}), segments_of({80, 3, 200, 0})}, {.dim = 32}));
  check_bf16("many queries, few keys", filled({both, segments_of({200, 9, 0, 170}), segments_of({8, 3, 20, 0})}, {.dim = 32}));
  NaiveAttention beams = filled({both, segments_of({20, 30, 10, 70, 3}), segments_of({30, 130, 4})}, {.dim = 24});
  beams.kv_segment = {2, 0, 2, 1, -1};
  check_bf16("kv_segment", beams);
}

TEST_CASE("attention in bf16: one value for keys and values, keys that no query reads") {
  for (const int kv_heads : {1, 4}) {
    CAPTURE(kv_heads);
    const auto expected = run_joint(Dtype::f64, options_of(4, kv_heads, false), 40);
    const auto found = run_joint(Dtype::bf16, options_of(4, kv_heads, false), 40);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(distance(found[i], expected[i], largest_of(expected[i])) < 0.04);
  }
}

TEST_CASE("attention in bf16: more keys than a block of scores holds for 32 queries") {
  const Segments rows = segments_of({40}), keys = segments_of({2500});
  check_bf16("many keys", filled({options_of(1, 1, false), rows, keys}, {.dim = 16}));
}

TEST_CASE("attention in bf16: biases by position, with their gradient") {
  const Segments ragged = segments_of({150, 0, 33, 1});
  AttentionOptions t5 = options_of(2, 2, false);
  t5.relative = {.bidirectional = true, .max_distance = 20};
  check_bf16("encoder", filled({t5, ragged, ragged}, {.dim = 32, .buckets = 16}));
  t5.causal = true;
  t5.relative = {.bidirectional = false, .max_distance = 50};
  t5.prefix_has_positions = true;
  check_bf16("decoder, prefix with positions", filled({t5, ragged, ragged, segments_of({13})}, {.dim = 32, .buckets = 40, .prefix = true}));
}

TEST_CASE("attention in bf16: windows begin at whole units of keys, masks of dropout go with their keys") {
  const Segments rows = segments_of({230, 3, 310});
  for (const int window : {5, 130}) {
    for (const double rate : {0.0, 0.25}) {
      NaiveAttention a = filled({options_of(4, 2, true), rows, rows, segments_of({20, 7})}, {.dim = 16, .prefix = true});
      a.options.window = window;
      a.options.dropout = {.rate = rate, .stream = 7};
      a.slots = {1, 0, 0};
      check_bf16(fmt::format("window of {}, dropout {}", window, rate), a);
    }
  }
}

TEST_CASE("attention in bf16: with position tables it computes in float32") {
  AttentionOptions deberta = options_of(2, 2, false);
  deberta.disentangled = {.buckets = 32, .max_distance = 64};
  const Segments ragged = segments_of({50, 0, 33, 1});
  check_bf16("position tables", filled({deberta, ragged, ragged}, {.dim = 16, .position_k = true, .position_q = true}));
}

}  // namespace attention_bf16_test
