#include "engine/compile/column_views.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/compile/plan_memory.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/split_columns.h"
#include "engine/runtime/compile.h"
#include "tests/support/graphs.h"
#include "tests/support/plans_columns.h"
#include "tests/support/values.h"

namespace column_views_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kRows = 24, kHeads = 2;

/// What a graph does beside attention over the parts of one product.
struct Shape {
  std::int64_t dim = 8;
  std::int64_t groups = 1;
  bool part_is_read = false, part_is_result = false, trained = true;
};

/// A small layer whose queries, keys and values are one product of x, with the gradient of x.
std::shared_ptr<const Program> compiled(const Shape& shape, const Backend& backend) {
  const std::int64_t width = kHeads * shape.dim;
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", kRows, 2);
  const Tensor values = random_tensor({kRows, width}, 1).to(Dtype::f32);
  const Value x = shape.trained ? graph.trainable("x", values, rows) : graph.frozen("x", values, rows);
  const Value all = linear(x, graph.frozen("w", random_tensor({3 * width, width}, 2).to(Dtype::f32)));
  const auto parts = split_columns(all, std::vector(3, width / shape.groups), shape.groups);
  AttentionOptions options;
  options.heads = options.kv_heads = kHeads;
  Value o = attention({.q = parts[0], .k = parts[1], .v = parts[2]}, options);
  if (shape.part_is_read) o = add(o, parts[2]);
  if (shape.part_is_result) graph.output("v", parts[2]);
  graph.output("loss", dot(o, graph.frozen("direction", random_tensor({kRows, width}, 3).to(Dtype::f32), rows)));
  return compile(std::move(graph), {.loss = shape.trained ? "loss" : "", .memory = Budget::none(), .backend = &backend});
}

/// The program's only step of an op.
const Program::Step& step_of(const Program& program, std::string_view op) {
  for (const auto& step : program.steps()) {
    if (program.graph().node(step.node).op->name() == op) return step;
  }
  FAIL("no step of the op");
  return program.steps().front();
}

/// Are the first three of `parts` columns of `whole`, one behind the other?
void check_columns(std::span<const Location> parts, const Location& whole, std::int64_t width) {
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(parts[i].offset == whole.offset + static_cast<std::int64_t>(i) * width * 4);
    CHECK(parts[i].stride == 3 * width);
  }
  CHECK(whole.stride == 0);
}

void check_layer(const Backend& backend) {
  const auto program = compiled({}, backend);
  constexpr std::int64_t kWidth = kHeads * 8;
  const Program::Step &split = step_of(*program, "split_columns"), &join = step_of(*program, "join_columns"),
                      &attended = step_of(*program, "attention"), &gradient = step_of(*program, "attention_grad");
  check_columns(split.out, split.in[0], kWidth);
  check_columns(attended.in, split.in[0], kWidth);
  check_columns(gradient.in, split.in[0], kWidth);
  check_columns(gradient.out, join.out[0], kWidth);
  check_columns(join.in, join.out[0], kWidth);
  CHECK(is_valid(program->plan(), program->liveness().buffers));
}

}  // namespace

TEST_CASE("column views: parts of one product lie in it, and so do their gradients in theirs") { check_layer(PlansColumns()); }

TEST_CASE("column views: plans for GPUs have them") {
  if (has_cuda()) check_layer(cuda_planning_backend());
}

TEST_CASE("column views: nothing is copied, and no plan has more memory") {
  const PlansColumns backend;
  for (const bool trained : {false, true}) {
    CAPTURE(trained);
    const auto program = compiled({.trained = trained}, backend);
    // a part that somebody else reads is a copy
    const auto copied = compiled({.part_is_read = true, .trained = trained}, backend);
    CHECK(copied->liveness().columns.empty());
    // the backward pass takes the kept value apart once more, which costs nothing either
    CHECK(program->liveness().columns.size() == (trained ? 9 : 3));
    CHECK(program->lower_bound_bytes() <= copied->lower_bound_bytes());
    // x, the three parts, o; no second copy of the parts
    if (!trained) CHECK(program->liveness().lower_bound <= kRows * kHeads * 8 * 4 * 4 + 64);
  }
}

TEST_CASE("column views: parts in groups, at odd columns, and results have memory of their own") {
  const PlansColumns backend;
  CHECK(compiled({.groups = 2}, backend)->liveness().columns.empty());
  CHECK(compiled({.dim = 3}, backend)->liveness().columns.empty());
  const auto program = compiled({.part_is_result = true}, backend);
  CHECK(step_of(*program, "split_columns").out[0].stride == 0);
  CHECK(program->result("v").stride == 0);
}

TEST_CASE("column views: a part that outlives the others is copied, or the wide value would live with it") {
  const PlansColumns backend;
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", kRows, 2);
  const Value x = graph.frozen("x", random_tensor({kRows, 16}, 1).to(Dtype::f32), rows);
  const auto parts = split_columns(linear(x, graph.frozen("w", random_tensor({48, 16}, 2).to(Dtype::f32))), {16, 16, 16});
  AttentionOptions options;
  options.heads = options.kv_heads = kHeads;
  const Value o = attention({.q = parts[0], .k = parts[1], .v = parts[2]}, options);
  graph.output("o", attention({.q = o, .k = parts[1], .v = o}, options));
  CHECK(column_views(graph, backend).empty());
}

TEST_CASE("column views: programs of a CPU have none") {
  CHECK(compiled({}, cpu_backend())->liveness().columns.empty());
}

}  // namespace column_views_test
