#include "engine/compile/liveness.h"

#include <memory>

#include <doctest/doctest.h>

#include "engine/ops/append_rows.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "tests/support/graphs.h"

namespace liveness_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Small {
  Small() : rows(graph.rows("r", 4, 1)), x(graph.input("x", {Dtype::f32, rows, {16}})) {}

  [[nodiscard]] Liveness analyse() const { return analyse_liveness(graph, cpu_backend()); }
  [[nodiscard]] static std::int32_t buffer(const Liveness& live, Value value) {
    return live.buffer_of[static_cast<std::size_t>(value.node)][static_cast<std::size_t>(value.output)];
  }

  Graph graph;
  RowSpaceId rows;
  Value x;
};

constexpr std::int64_t kBytes = 4 * 16 * 4;

}  // namespace

TEST_CASE("liveness: inputs live from the start, results to the end") {
  Small s;
  const Value y = linear(s.x, s.graph.frozen("w", Tensor(Dtype::f32, {16, 16})));
  const Value z = linear(y, s.graph.leaf("w"));
  s.graph.output("y", y);
  s.graph.output("z", z);
  const Liveness live = s.analyse();
  const Buffer& in = live.buffers[static_cast<std::size_t>(Small::buffer(live, s.x))];
  CHECK(in.first == 0);
  CHECK(in.last == y.node);
  const Buffer& kept = live.buffers[static_cast<std::size_t>(Small::buffer(live, y))];
  CHECK(kept.first == y.node);
  CHECK(kept.last == s.graph.size());
  CHECK(Small::buffer(live, s.graph.leaf("w")) == -1);
}

TEST_CASE("liveness: the lower bound is the largest sum of what is alive at a step") {
  Small s;
  const Value w = s.graph.frozen("w", Tensor(Dtype::f32, {16, 16}));
  const Value a = linear(s.x, w);
  const Value b = linear(a, w);
  const Value c = linear(b, w);
  s.graph.output("sum", linear(c, w));
  const Liveness live = s.analyse();
  CHECK(live.lower_bound == 2 * kBytes);
  CHECK(live.peak_step >= a.node);
}

TEST_CASE("liveness: an output takes over an operand that dies at it") {
  Small s;
  const Value w = s.graph.frozen("w", Tensor(Dtype::f32, {16, 16}));
  const Value y = linear(s.x, w);
  const Value doubled = scale(y, 2);
  const Value sum = add(doubled, linear(s.x, w));
  s.graph.output("sum", sum);
  const Liveness live = s.analyse();
  CHECK(Small::buffer(live, doubled) == Small::buffer(live, y));
  CHECK(Small::buffer(live, sum) == Small::buffer(live, doubled));
}

TEST_CASE("liveness: an operand that is read later is not taken over") {
  Small s;
  const Value y = scale(s.x, 2);
  const Value z = scale(y, 3);
  s.graph.output("sum", add(y, z));
  const Liveness live = s.analyse();
  CHECK(Small::buffer(live, z) != Small::buffer(live, y));
}

TEST_CASE("liveness: an operand that a node reads twice is not taken over") {
  Small s;
  const Value y = scale(s.x, 2);
  const Value squared = multiply(y, y);
  s.graph.output("squared", squared);
  const Liveness live = s.analyse();
  CHECK(Small::buffer(live, squared) != Small::buffer(live, y));
}

TEST_CASE("liveness: a result is not overwritten, and a leaf never is") {
  Small s;
  const Value y = scale(s.x, 2);
  s.graph.output("y", y);
  const Value z = scale(y, 3);
  s.graph.output("z", z);
  const Value p = s.graph.trainable("p", Tensor(Dtype::f32, {16}));
  const Value q = scale(p, 2);
  s.graph.output("q", q);
  const Liveness live = s.analyse();
  CHECK(Small::buffer(live, z) != Small::buffer(live, y));
  CHECK(Small::buffer(live, q) >= 0);
}

TEST_CASE("liveness: a value of another size is not taken over") {
  Small s;
  const Value w = s.graph.frozen("wide", Tensor(Dtype::f32, {64, 16}));
  const Value y = scale(s.x, 2);
  const Value wide = linear(y, w);
  s.graph.output("wide", wide);
  const Liveness live = s.analyse();
  CHECK(Small::buffer(live, wide) != Small::buffer(live, y));
}

TEST_CASE("liveness: an output that nobody reads has no buffer, and one that must be the leaf's is the leaf's") {
  Small s;
  const Value norm = add_rms_norm(s.x, scale(s.x, 2), {}, 1e-6).y;
  s.graph.output("norm", norm);
  const Value index = s.graph.input("index", {Dtype::i32, s.rows, {}});
  const Value cache = append_rows(s.graph.state("cache", Tensor(Dtype::f32, {9, 16})), norm, index);
  s.graph.output("cache", cache);
  const Liveness live = s.analyse();
  CHECK(live.buffer_of[static_cast<std::size_t>(norm.node)][1] == -1);
  CHECK(Small::buffer(live, cache) == -1);
}

TEST_CASE("liveness: scratch memory lives at its step alone, and sizes are whole cache lines") {
  Small s;
  const Value w = s.graph.frozen("w", Tensor(Dtype::bf16, {3, 16}));
  const Value y = linear(s.x, w);
  s.graph.output("y", y);
  const Liveness live = s.analyse();
  const std::int32_t scratch = live.workspace_of[static_cast<std::size_t>(y.node)];
  REQUIRE(scratch >= 0);
  CHECK(live.buffers[static_cast<std::size_t>(scratch)].first == y.node);
  CHECK(live.buffers[static_cast<std::size_t>(scratch)].last == y.node);
  for (const auto& buffer : live.buffers) CHECK(buffer.bytes % kBufferAlignment == 0);
}

}  // namespace liveness_test
