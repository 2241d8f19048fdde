// Attention on a GPU against the CPU in double. Skipped without a device.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/backend/cuda/backend.h"
#include "tests/support/attention_cases.h"

namespace attention_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Results = std::vector<std::pair<std::string, Tensor>>;

/// Largest norm of a head in the rows of a matrix.
double largest_norm(const Tensor& x, std::int64_t heads) {
  if (!x.defined() || x.count() == 0) return 0;
  const std::int64_t dim = x.dim(1) / heads;
  const auto values = x.values<double>();
  double largest = 0;
  for (std::int64_t first = 0; first < x.count(); first += dim) {
    double sum = 0;
    for (std::int64_t i = first; i < first + dim; ++i) sum += values[static_cast<std::size_t>(i)] * values[static_cast<std::size_t>(i)];
    largest = std::max(largest, std::sqrt(sum));
  }
  return largest;
}

/// c · eps · (1 + largest score): an error of a score is a relative error of a probability.
double tolerance(const NaiveAttention& a, double epsilon) {
  const double queries = largest_norm(a.q, a.options.heads) + largest_norm(a.position_q, a.options.heads);
  const double keys = std::max(largest_norm(a.k, a.options.kv_heads), largest_norm(a.prefix_k, a.options.kv_heads)) +
                      largest_norm(a.position_k, a.options.heads);
  constexpr double kFactor = 16;
  return kFactor * epsilon * (1 + a.options.scale * queries * keys);
}

constexpr double kEpsilon = 0x1p-24, kBf16Epsilon = 0x1p-9;

const Backend& gpu() { return cuda_backend(0); }

double largest_of(const Tensor& x) {
  double largest = 0;
  for (const double value : x.values<double>()) largest = std::max(largest, std::abs(value));
  return largest;
}

/// What errors of a result are relative to at least. Terms of gradients are of the size of o here, and cancel to nothing where each query sees a
/// single key; sums of bf16 terms lose as much of them wherever they cancel.
double floor_of(const Tensor& expected, const Tensor& o, Dtype real) {
  constexpr double kCancelled = 1e-9, kTiny = 1e-300;
  const double terms = largest_of(o);
  return real == Dtype::bf16 || largest_of(expected) <= kCancelled * terms ? std::max(terms, kTiny) : kTiny;
}

/// The case on the GPU, in float32 or in bf16 for operands that bf16 holds, gives what the CPU gives in double, twice the same bits.
void check_parity(const std::string& name, const NaiveAttention& a, const std::vector<std::string>& trained = {}, Dtype real = Dtype::f32) {
  CAPTURE(name);
  const double epsilon = real == Dtype::bf16 ? kBf16Epsilon : kEpsilon;
  const Results expected = run_all(a, Dtype::f64, trained, &cpu_backend());
  const Results found = run_all(a, real, trained, &gpu());
  const Results again = run_all(a, real, trained, &gpu());
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(found[i].first);
    const double floor = floor_of(expected[i].second, expected.front().second, real);
    CHECK(distance(found[i].second, expected[i].second, floor) < tolerance(a, epsilon));
    CHECK(std::memcmp(found[i].second.data(), again[i].second.data(), found[i].second.bytes()) == 0);
  }
}

NaiveAttention with_dropout(NaiveAttention a) {
  a.options.dropout = {.rate = 0.25, .stream = 7};
  return a;
}

/// Segments longer than a tile of queries or keys, of heads that tiles of 64 columns hold, fill, or do not hold.
std::vector<std::pair<std::string, NaiveAttention>> tiled_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const AttentionOptions full{.heads = 2, .kv_heads = 2, .scale = 0.3};
  AttentionOptions causal = full;
  causal.causal = true;
  const Segments ragged = segments_of({150, 0, 33, 1});
  const Segments slots = segments_of({10, 0, 70});
  const std::vector<std::int32_t> used{2, 0, 5, 0};
  for (const std::int64_t dim : {16, 64, 80, 128, 150}) {
    NaiveAttention a = filled({causal, ragged, ragged, slots}, {.dim = dim, .prefix = true});
    a.slots = used;
    cases.emplace_back(fmt::format("causal, prefix slots, heads of {}", dim), a);
  }
  AttentionOptions grouped = causal;
  grouped.heads = 6;
  cases.emplace_back("grouped heads", filled({grouped, ragged, ragged, segments_of({10})}, {.dim = 40, .prefix = true}));
  cases.emplace_back("few queries, many keys", filled({full, segments_of({5, 9, 0, 17}), segments_of({80, 3, 200, 0})}, {.dim = 64}));
  cases.emplace_back("many queries, few keys", filled({full, segments_of({200, 9, 0, 170}), segments_of({8, 3, 20, 0})}, {.dim = 64}));
  NaiveAttention beams = filled({full, segments_of({20, 30, 10, 70, 3}), segments_of({30, 130, 4})}, {.dim = 24});
  beams.kv_segment = {2, 0, 2, 1, -1};
  cases.emplace_back("kv_segment", beams);

  NaiveAttention apart{causal, {}, {}, segments_of({3})};
  std::vector<std::int32_t> queries;
  std::vector<std::int32_t> keys;
  for (std::int32_t i = 0; i < 90; ++i) queries.push_back(3 * i + 1);
  for (std::int32_t i = 0; i < 140; ++i) keys.push_back(2 * i + (i > 70 ? 9 : 0));
  apart.q_rows.append(queries);
  apart.k_rows.append(keys);
  cases.emplace_back("positions apart", filled(apart, {.dim = 64, .prefix = true}));

  AttentionOptions t5 = full;
  t5.scale = 1;
  t5.relative = {.bidirectional = true, .max_distance = 20};
  cases.emplace_back("T5 encoder", filled({t5, ragged, ragged}, {.dim = 32, .buckets = 16}));
  t5.causal = true;
  t5.relative = {.bidirectional = false, .max_distance = 50};
  cases.emplace_back("T5 decoder with prefix", filled({t5, ragged, ragged, segments_of({13})}, {.dim = 32, .buckets = 40, .prefix = true}));
  t5.prefix_has_positions = true;
  t5.relative.max_distance = 3000;
  cases.emplace_back("T5 decoder, prefix with positions, far",
                     filled({t5, ragged, ragged, segments_of({13})}, {.dim = 32, .buckets = 40, .prefix = true}));

  AttentionOptions deberta = full;
  deberta.disentangled = {.buckets = 32, .max_distance = 64};
  NaiveAttention disentangled =
      filled({deberta, ragged, ragged, slots}, {.dim = 48, .prefix = true, .position_k = true, .position_q = true});
  disentangled.slots = used;
  cases.emplace_back("position tables", disentangled);
  cases.emplace_back("position tables, wide heads", filled({deberta, ragged, ragged}, {.dim = 72, .position_k = true, .position_q = true}));
  apart.options.disentangled = {.buckets = 0, .max_distance = 200};
  cases.emplace_back("position tables, positions apart", filled(apart, {.dim = 16, .position_k = true, .position_q = true}));
  return cases;
}

/// Windows of a key, within a tile, and over several: tiles that all queries have left, prefixes that leave, gaps among keys and queries.
std::vector<std::pair<std::string, NaiveAttention>> windowed_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const Segments rows = segments_of({230, 0, 3, 310});
  const Segments slots = segments_of({20, 0, 70});
  for (const int window : {1, 5, 40, 64, 130, 1000}) {
    AttentionOptions options{.heads = 4, .kv_heads = 2, .scale = 0.3, .causal = true};
    options.window = window;
    for (const std::int64_t dim : {16, 64, 128, 150}) {
      // wide heads twice: the kernels are the same for all windows
      if (dim > 64 && window != 5 && window != 130) continue;
      NaiveAttention a = filled({options, rows, rows, slots}, {.dim = dim, .prefix = true});
      a.slots = {2, 0, 5, 0};
      cases.emplace_back(fmt::format("window of {}, prefix slots, heads of {}", window, dim), a);
    }
    cases.emplace_back(fmt::format("window of {} alone", window), filled({options, rows, rows}, {.dim = 24}));
    NaiveAttention apart{options, {}, {}, segments_of({30})};
    std::vector<std::int32_t> queries;
    std::vector<std::int32_t> keys;
    for (std::int32_t i = 0; i < 90; ++i) queries.push_back(3 * i + 1);
    for (std::int32_t i = 0; i < 140; ++i) keys.push_back(2 * i + (i > 70 ? 9 : 0));
    apart.q_rows.append(queries);
    apart.k_rows.append(keys);
    cases.emplace_back(fmt::format("window of {}, positions apart", window), filled(apart, {.dim = 40, .prefix = true}));
    NaiveAttention front = filled({options, segments_of({150, 9, 40}), segments_of({90, 3, 0})}, {.dim = 32});
    front.options.causal = false;
    front.options.keys_in_front = true;
    cases.emplace_back(fmt::format("window of {}, keys in front", window), front);
  }
  return cases;
}

/// Every option and operand that attention has.
std::vector<std::pair<std::string, NaiveAttention>> all_cases() {
  auto cases = small_attention_cases();
  for (auto& tiled : tiled_cases()) cases.push_back(std::move(tiled));
  for (auto& windowed : windowed_cases()) cases.push_back(std::move(windowed));
  cases.emplace_back("large causal", large_attention_case(true));
  cases.emplace_back("large with contexts", large_context_case());
  cases.emplace_back("large", large_attention_case(false));
  cases.emplace_back("large with position tables", large_disentangled_case());
  return cases;
}

/// ‖found - expected‖ / ‖expected‖
double relative_error(const Tensor& found, const Tensor& expected) {
  const Tensor wide = found.to(Dtype::f64);
  const auto x = wide.values<double>();
  const auto y = expected.values<double>();
  double difference = 0, all = 0;
  for (std::size_t i = 0; i < y.size(); ++i) difference += (x[i] - y[i]) * (x[i] - y[i]), all += y[i] * y[i];
  return std::sqrt(difference / std::max(all, 1e-300));
}

/// Segments of so many rows.
Segments segments_of_equal(int count, std::int32_t rows) {
  Segments segments;
  std::vector<std::int32_t> positions;
  for (std::int32_t i = 0; i < rows; ++i) positions.push_back(i);
  for (int i = 0; i < count; ++i) segments.append(positions);
  return segments;
}

/// As many tiles and heads as make blocks take several, one after the other, on a GPU of more than a hundred multiprocessors.
std::vector<std::pair<std::string, NaiveAttention>> busy_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  // scores differ by tens: maxima rise from tile to tile
  AttentionOptions options{.heads = 16, .kv_heads = 16, .scale = 0.5, .causal = true};
  const Segments rows = segments_of_equal(11, 330), few = segments_of_equal(40, 32), many = segments_of_equal(40, 400);
  cases.emplace_back("causal with a prefix", filled({options, rows, rows, segments_of({10})}, {.dim = 64, .prefix = true}));
  options.causal = false;
  cases.emplace_back("cross", filled({options, few, many}, {.dim = 64}));
  cases.emplace_back("ragged", filled({options, segments_of({700, 3, 190, 500, 65, 900}), segments_of({700, 3, 190, 500, 65, 900})}, {.dim = 48}));
  options.relative = {.bidirectional = true, .max_distance = 128};
  const Segments source = segments_of_equal(9, 612);
  cases.emplace_back("T5 encoder", filled({options, source, source}, {.dim = 64, .buckets = 32}));
  options.causal = true;
  options.relative.bidirectional = false;
  cases.emplace_back("T5 decoder", filled({options, few, few}, {.dim = 64, .buckets = 32}));
  return cases;
}

}  // namespace

TEST_CASE("cuda attention: every variant and all of its gradients are those of the CPU") {
  for (const auto& [name, a] : all_cases()) check_parity(name, a);
}

TEST_CASE("cuda attention: dropout takes what it takes on the CPU") {
  for (const auto& [name, a] : all_cases()) check_parity(name, with_dropout(a));
}

TEST_CASE("cuda attention: single gradients are those of the CPU") {
  for (const auto& [name, a] : all_cases()) {
    check_parity(name, a, {"q"});
    check_parity(name, a, {"k"});
    check_parity(name, a, {"v"});
    // no other key is read then
    if (a.prefix_k.defined()) check_parity(name, a, {"prefix_k", "prefix_v"});
    if (a.prefix_k.defined()) check_parity(name, with_dropout(a), {"prefix_v"});
    if (a.bias_table.defined()) check_parity(name, a, {"bias_table"});
    if (a.position_k.defined()) check_parity(name, a, {"position_k"});
    if (a.position_q.defined()) check_parity(name, a, {"position_q"});
  }
}

TEST_CASE("cuda attention: bf16 operands give what the CPU gives for the same numbers") {
  for (auto [name, a] : all_cases()) {
    // numbers that bf16 holds
    for (Tensor* x : {&a.q, &a.k, &a.v, &a.bias_table, &a.position_k, &a.position_q}) {
      if (x->defined()) *x = x->to(Dtype::bf16).to(Dtype::f64).clone();
    }
    check_parity(name, a, {}, Dtype::bf16);
    if (a.prefix_k.defined()) check_parity(name, a, {"prefix_k", "prefix_v"}, Dtype::bf16);
    check_parity(name, with_dropout(a), {}, Dtype::bf16);
  }
}

TEST_CASE("cuda attention: blocks that take one item after the other give what the CPU gives") {
  for (auto [name, a] : busy_cases()) {
    CAPTURE(name);
    for (Tensor* x : {&a.q, &a.k, &a.v, &a.bias_table, &a.prefix_k, &a.prefix_v}) {
      if (x->defined()) *x = x->to(Dtype::bf16).to(Dtype::f64).clone();
    }
    for (const bool drops : {false, true}) {
      CAPTURE(drops);
      if (drops) a = with_dropout(a);
      std::vector<std::string> trained{"q", "k", "v"};
      if (a.prefix_k.defined()) trained.insert(trained.end(), {"prefix_k", "prefix_v"});
      const Results expected = run_all(a, Dtype::f64, trained, &cpu_backend());
      const Results found = run_all(a, Dtype::bf16, trained, &gpu());
      const Results again = run_all(a, Dtype::bf16, trained, &gpu());
      for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(found[i].first);
        // bf16 rounds o, P, dS and all gradients
        constexpr double kMost = 0.015;
        CHECK(relative_error(found[i].second, expected[i].second) < kMost);
        CHECK(std::memcmp(found[i].second.data(), again[i].second.data(), found[i].second.bytes()) == 0);
      }
    }
  }
}

}  // namespace attention_parity_test
