#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "tests/support/attention_cases.h"

namespace attention_window_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

AttentionOptions windowed(int window, int heads = 2, int kv_heads = 2) {
  AttentionOptions options{.heads = heads, .kv_heads = kv_heads, .scale = 0.5, .causal = true};
  options.window = window;
  return options;
}

std::vector<std::pair<std::string, NaiveAttention>> small_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const Segments ragged = segments_of({3, 0, 6, 1});
  const Segments slots = segments_of({3, 0, 2, 1});
  for (const int window : {1, 2, 4, 50}) {
    cases.emplace_back("alone, " + std::to_string(window), filled({windowed(window), ragged, ragged}, {.dim = 3}));
    NaiveAttention prefixed = filled({windowed(window, 4, 2), ragged, ragged, slots}, {.dim = 2, .prefix = true});
    prefixed.slots = {2, 0, 0, 1};
    cases.emplace_back("prefix slots and grouped heads, " + std::to_string(window), prefixed);
  }
  Segments gathered;
  for (const auto& positions : {std::vector<std::int32_t>{0, 2}, {}, {1, 3, 5}, {0}}) gathered.append(positions);
  cases.emplace_back("gathered queries", filled({windowed(3), gathered, ragged}, {.dim = 2}));
  NaiveAttention gaps = filled({windowed(4), gathered, Segments{}, slots}, {.dim = 2, .prefix = true});
  for (const auto& positions : {std::vector<std::int32_t>{1, 2, 9}, {5}, {0, 3, 4, 5, 8}, {7}}) gaps.k_rows.append(positions);
  gaps = filled(gaps, {.dim = 2, .prefix = true});
  gaps.slots = {0, 1, 2, 0};
  cases.emplace_back("gaps among the keys", gaps);
  NaiveAttention front = filled({windowed(3), ragged, segments_of({4, 1, 2, 3})}, {.dim = 2});
  front.options.causal = false;
  front.options.keys_in_front = true;
  cases.emplace_back("keys in front", front);
  return cases;
}

/// Several blocks of queries, of which the later ones see none of the first keys.
NaiveAttention large_case(int window) {
  const Segments rows = segments_of({230, 3, 310});
  NaiveAttention a = filled({windowed(window, 4, 2), rows, rows, segments_of({20, 7})}, {.dim = 8, .prefix = true});
  a.slots = {1, 0, 0};
  return a;
}

}  // namespace

TEST_CASE("attention window: every variant gives what plain loops give") {
  for (const auto& [name, a] : small_cases()) {
    CAPTURE(name);
    CHECK(distance(evaluate(graph_of(a)), naive_attention(a).o) < 1e-13);
    CHECK(distance(evaluate(graph_of(a, 1)), naive_attention(a).log_sum_exp) < 1e-13);
    CHECK(distance(evaluate(graph_of(a), Dtype::f32), naive_attention(a).o) < 1e-6);
  }
  for (const int window : {5, 130}) CHECK(distance(evaluate(graph_of(large_case(window))), naive_attention(large_case(window)).o) < 1e-13);
}

TEST_CASE("attention window: gradients of every variant for every subset of operands") {
  for (const auto& [name, a] : small_cases()) {
    CAPTURE(name);
    check_gradients(graph_of(a));
  }
}

TEST_CASE("attention window: gradients over several blocks in float are those in double") {
  const auto wide = run_all(large_case(130), Dtype::f64);
  const auto narrow = run_all(large_case(130), Dtype::f32);
  REQUIRE(wide.size() == narrow.size());
  for (std::size_t i = 0; i < wide.size(); ++i) {
    CAPTURE(wide[i].first);
    CHECK(distance(narrow[i].second, wide[i].second) < 1e-5);
  }
}

TEST_CASE("attention window: a window as long as the sequence changes no gradient") {
  NaiveAttention none = large_case(0);
  const auto plain = run_all(none, Dtype::f64);
  const auto whole = run_all(large_case(1000), Dtype::f64);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(plain[i].first);
    CHECK(distance(whole[i].second, plain[i].second) < 1e-13);
  }
}

TEST_CASE("attention window: masks of dropout count the keys that have left") {
  for (auto [name, a] : small_cases()) {
    CAPTURE(name);
    a.options.dropout = {.rate = 0.4, .stream = 3};
    CHECK(distance(evaluate(graph_of(a)), naive_attention(a).o) < 1e-13);
    check_gradients(graph_of(a));
  }
  NaiveAttention large = large_case(40);
  large.options.dropout = {.rate = 0.4, .stream = 3};
  CHECK(distance(evaluate(graph_of(large)), naive_attention(large).o) < 1e-13);
}

TEST_CASE("attention window: rejects biases and both directions") {
  const Segments rows = segments_of({4});
  NaiveAttention a = filled({windowed(2), rows, rows}, {.dim = 2, .buckets = 8});
  CHECK_THROWS_WITH_AS((void)evaluate(graph_of(a)), "attention: a window of 2 keys and biases by position were given; wanted one of them",
                       UnsupportedError);
  a = filled({windowed(2), rows, rows}, {.dim = 2});
  a.options.causal = false;
  CHECK_THROWS_WITH_AS((void)evaluate(graph_of(a)),
                       "attention: a window of 2 keys was given for an attention in both directions; wanted a causal one", UnsupportedError);
  a.options = windowed(-1);
  CHECK_THROWS_WITH_AS((void)evaluate(graph_of(a)), "attention: a window of -1 keys was given; wanted 0 (none) or more", ConfigError);
}

}  // namespace attention_window_test
