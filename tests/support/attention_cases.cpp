#include "tests/support/attention_cases.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <doctest/doctest.h>

#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/values.h"

namespace preamble::testing {
namespace {

/// Indices of segments as an operand: a batch may have fewer segments than the capacity.
Tensor padded(const std::vector<std::int32_t>& values) {
  std::vector<std::int32_t> all(values);
  all.push_back(-77);
  return tensor_of({static_cast<std::int64_t>(all.size())}, std::span<const std::int32_t>(all));
}

}  // namespace

Segments segments_of(std::initializer_list<std::int32_t> lengths) { return Segments(std::vector<std::int32_t>(lengths)); }

NaiveAttention filled(NaiveAttention a, const AttentionCaseShape& shape, std::uint64_t seed) {
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

GradientCase graph_of(const NaiveAttention& a, std::int32_t output) {
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
  const auto add = [&](std::size_t place, Operand operand) {
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
  if (!a.slots.empty()) add(8, {"slots", padded(a.slots)});
  if (!a.kv_segment.empty()) add(9, {"kv_segment", padded(a.kv_segment)});
  if (!a.context.empty()) add(10, {"context", padded(a.context)});
  if (a.options.dropout.rate > 0) add(11, {"dropout_key", indices({a.dropout_key[0], a.dropout_key[1]})});
  test.build = [options = a.options, places, output](Graph& graph, const std::vector<Value>& values) {
    std::vector<Value> all(12);
    for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = values[i];
    const Value o = attention({all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7], all[8], all[9], all[10], all[11]}, options);
    return Value{&graph, o.node, output};
  };
  return test;
}

double distance(const Tensor& found, const Tensor& expected, double floor) {
  const Tensor wide = found.to(Dtype::f64);
  const auto a = std::as_const(wide).values<double>();
  const auto b = expected.values<double>();
  REQUIRE(a.size() == b.size());
  double worst = 0;
  double largest = floor;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

std::vector<std::pair<std::string, NaiveAttention>> small_attention_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const Segments ragged = segments_of({3, 0, 5, 1});
  const Segments slots = segments_of({3, 0, 2, 1});
  const std::vector<std::int32_t> used{2, 0, 0, 1};
  const AttentionOptions two{.heads = 2, .kv_heads = 2, .scale = 0.5};
  AttentionOptions causal = two;
  causal.causal = true;
  const AttentionCaseShape bias{.dim = 2, .buckets = 8};
  const AttentionCaseShape prefix{.dim = 2, .prefix = true};
  const AttentionCaseShape both{.dim = 2, .buckets = 8, .prefix = true};

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
  NaiveAttention contexts = filled({causal, ragged, ragged, slots}, prefix);
  contexts.slots = used;
  contexts.context = {2, 5, 3, 0};
  cases.emplace_back("contexts that all queries see", contexts);
  NaiveAttention gathered_contexts = filled({causal, gathered, ragged}, {.dim = 2});
  gathered_contexts.context = {0, 0, 4, 9};
  cases.emplace_back("gathered queries with contexts", gathered_contexts);
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
  const auto tables = [](bool key, bool query) {
    return AttentionCaseShape{.dim = 2, .prefix = true, .position_k = key, .position_q = query};
  };
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

NaiveAttention large_attention_case(bool causal) {
  const AttentionOptions options{
      .heads = 4, .kv_heads = 2, .scale = 0.25, .causal = causal, .relative = {.bidirectional = !causal}, .prefix_has_positions = true};
  const Segments rows = segments_of({230, 0, 17, 96, 1, 120});
  NaiveAttention a = filled({options, rows, rows, segments_of({20, 0, 33})}, {.dim = 16, .buckets = 32, .prefix = true});
  a.slots = {2, 0, 1, 0, 2, 0};
  return a;
}

NaiveAttention large_context_case() {
  NaiveAttention a = large_attention_case(true);
  a.context = {130, 3, 17, 0, 1, 119};
  return a;
}

NaiveAttention large_disentangled_case() {
  NaiveAttention a = large_attention_case(false);
  a.options.kv_heads = 4;
  a.options.prefix_has_positions = false;
  a.options.disentangled = {.buckets = 32, .max_distance = 128};
  a.bias_table = {};
  return filled(a, {.dim = 16, .prefix = true, .position_k = true, .position_q = true});
}

std::vector<std::pair<std::string, Tensor>> run_all(const NaiveAttention& a, Dtype real, const std::vector<std::string>& trained,
                                                    const Backend* backend) {
  const auto is_trained = [&](const Operand& operand) {
    return operand.values.dtype() != Dtype::i32 && (trained.empty() || std::ranges::count(trained, operand.name) > 0);
  };
  const GradientCase test = graph_of(a);
  Graph graph(real);
  for (const auto& [name, rows] : test.spaces) graph.rows(name, rows.rows(), rows.count() + 1);
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    const auto& [name, tensor, space, differentiable] = operand;
    const RowSpaceId rows = space.empty() ? kNoRows : graph.rows(space);
    values.push_back(tensor.dtype() == Dtype::i32 ? graph.input(name, {Dtype::i32, rows, tensor.dims()})
                     : is_trained(operand)        ? graph.trainable(name, tensor.to(graph.statistic()).clone(), rows)
                                                  : graph.frozen(name, tensor.to(real), rows));
    // q, k and v are activations: prefixes and tables alone are parameters
    if (values.size() <= 3) values.back() = cast(values.back(), real);
  }
  const Value o = test.build(graph, values);
  graph.output("o", o);
  graph.output("loss", dot(o, graph.frozen("direction", random_tensor(a.q.dims(), 99).to(real), graph.rows("q"))));
  CompileOptions options;
  options.loss = "loss";
  options.backend = backend;
  Session session(compile(std::move(graph), options));
  for (const auto& [name, rows] : test.spaces) session.rows(name, rows);
  for (const auto& operand : test.operands) {
    if (operand.values.dtype() == Dtype::i32) session.set<std::int32_t>(operand.name, operand.values.values<std::int32_t>());
  }
  session.run();
  std::vector<std::pair<std::string, Tensor>> results{{"o", session.result_tensor("o")}};
  for (const auto& operand : test.operands) {
    if (is_trained(operand)) results.emplace_back(operand.name, session.result_tensor("grad." + operand.name));
  }
  return results;
}

}  // namespace preamble::testing
