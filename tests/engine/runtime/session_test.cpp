#include "engine/runtime/session.h"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "tests/support/allocations.h"
#include "tests/support/graphs.h"
#include "tests/support/residence.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace session_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// y = 2 x for up to 4 rows in 2 sequences.
std::shared_ptr<const Program> doubling() {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 2), {2}});
  graph.output("y", scale(x, 2));
  return compile(std::move(graph));
}

/// A training step of a stack with half-precision weights, its loss and its head.
std::shared_ptr<const Program> training(Budget budget) {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 96, 4);
  const Value index = graph.subset("labelled", rows, 40);
  const RowSpaceId labelled = index.type().rows;
  const Value x = graph.trainable("x", random_tensor({96, 16}, 3).to(Dtype::f32), rows);
  const Value y = Stack{.width = 16, .layers = 2}.build(graph, x);
  const Value head = graph.frozen("head", random_tensor({300, 16}, 4).to(Dtype::bf16));
  const Value logits = linear(gather_rows(y, index), head);
  const Value labels = graph.input("labels", {Dtype::i32, labelled, {}});
  graph.output("loss", cross_entropy(logits, labels, graph.input("weight", {Dtype::f32, kNoRows, {}})));
  return compile(std::move(graph), {.loss = "loss", .memory = budget});
}

void feed(Session& session) {
  session.rows("rows", Segments(std::array{30, 50, 16}));
  std::vector<std::int32_t> index(40);
  std::iota(index.begin(), index.end(), 0);
  session.select("labelled", index);
  session.set<std::int32_t>("labels", index);
  session.input<float>("weight")[0] = 1.0F / 40;
}

std::vector<float> copy_of(std::span<const float> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("session: runs as many rows as the layout has, from one run to the next") {
  Session session(doubling());
  session.rows("rows", Segments(std::array{1, 2}));
  session.set<float>("x", std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  session.run();
  CHECK(copy_of(session.result<float>("y")) == std::vector<float>{2, 4, 6, 8, 10, 12});
  CHECK(session.result_tensor("y").dims() == Dims{3, 2});
  session.rows("rows", Segments(std::array{1}));
  session.set<float>("x", std::array{-1.0F, 0.5F});
  session.run();
  CHECK(copy_of(session.result<float>("y")) == std::vector<float>{-2, 1});
  session.rows("rows", Segments());
  session.run();
  CHECK(session.result<float>("y").empty());
}

TEST_CASE("session: a layout beyond the capacity is an error with both") {
  Session session(doubling());
  CHECK_THROWS_WITH_AS(session.rows("rows", Segments(std::array{5})),
                       "row space 'rows': 5 rows in 1 sequences were given; the program holds at most 4 rows in 2 sequences", ShapeError);
  CHECK_THROWS_AS(session.rows("rows", Segments(std::array{1, 1, 1})), ShapeError);
  session.rows("pruned away", Segments(std::array{1000}));
}

namespace {

/// Up to 3 of up to 6 rows, and up to 2 of these.
std::shared_ptr<const Program> selecting() {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 6, 2);
  const Value some = graph.subset("some", rows, 3);
  const Value few = graph.subset("few", some.type().rows, 2);
  const Value x = graph.input("x", {Dtype::f32, rows, {1}});
  const Value y = gather_rows(x, some);
  graph.output("y", y);
  graph.output("z", gather_rows(y, few));
  return compile(std::move(graph));
}

std::vector<std::int32_t> offsets_of(const RowLayout& layout) { return {layout.offsets, layout.offsets + layout.segments + 1}; }
std::vector<std::int32_t> positions_of(const RowLayout& layout) { return {layout.positions, layout.positions + layout.rows}; }

using Numbers = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("session: rows that are selected keep the places that they have") {
  Session session(selecting());
  session.rows("rows", Segments(std::array{4, 2}));
  session.select("some", std::array{1, 3, 5});
  session.select("few", std::array{1, 2});
  CHECK(offsets_of(session.layout("some")) == Numbers{0, 2, 3});
  CHECK(positions_of(session.layout("some")) == Numbers{1, 3, 1});
  CHECK(offsets_of(session.layout("few")) == Numbers{0, 1, 2});
  CHECK(positions_of(session.layout("few")) == Numbers{3, 1});
  session.set<float>("x", std::array{0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F});
  session.run();
  CHECK(copy_of(session.result<float>("y")) == std::vector<float>{1, 3, 5});
  CHECK(copy_of(session.result<float>("z")) == std::vector<float>{3, 5});
  // positions that rows were given are kept as well; a row may be selected twice, and a segment may be left without rows
  Segments gap;
  gap.append(std::array{0, 7});
  gap.append(2);
  session.rows("rows", gap);
  session.select("some", std::array{1, 1});
  CHECK(offsets_of(session.layout("some")) == Numbers{0, 2, 2});
  CHECK(positions_of(session.layout("some")) == Numbers{7, 7});
}

TEST_CASE("session: rows cannot be selected apart from the layout that they are rows of") {
  Session session(selecting());
  const auto lay_out = [&] { session.rows("rows", Segments(std::array{4, 2})); };
  const auto feed_x = [&] { session.set<float>("x", std::array{0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F}); };
  lay_out();
  CHECK_THROWS_WITH_AS(session.rows("some", Segments(std::array{1})),
                       "row space 'some': a layout was given; wanted an index of rows of 'rows'", ShapeError);
  CHECK_THROWS_WITH_AS(session.select("rows", std::array{1}), "row space 'rows': an index was given; wanted a layout", ShapeError);
  CHECK_THROWS_WITH_AS((void)session.input<std::int32_t>("some.index"),
                       "input 'some.index': says which rows 'some' has; wanted Session::select", ConfigError);
  CHECK_THROWS_WITH_AS(session.select("few", std::array{0}), "row space 'few': selected before the rows of 'some' were", ShapeError);
  CHECK_THROWS_WITH_AS(session.select("some", std::array{0, 6}), "rows: row 6 was selected; there are 6", ShapeError);
  CHECK_THROWS_WITH_AS(session.select("some", std::array{2, 1}), "rows: row 1 was selected behind row 2; wanted ascending ones", ShapeError);
  CHECK_THROWS_WITH_AS(session.select("some", std::array{-1}), "rows: row -1 was selected behind row 0; wanted ascending ones", ShapeError);
  CHECK_THROWS_WITH_AS(session.select("some", std::array{0, 1, 2, 3}),
                       "row space 'some': 4 rows in 2 sequences were given; the program holds at most 3 rows in 2 sequences", ShapeError);
  session.select("not there", std::array{7});
  session.select("some", std::array{1, 3});
  feed_x();
  CHECK_THROWS_WITH_AS(session.run(), "row space 'few': no rows of 'some' were selected since these were laid out", ShapeError);
  session.select("few", std::array{0});
  feed_x();
  session.run();
  // new rows: what was selected of the old ones holds no longer
  lay_out();
  feed_x();
  CHECK_THROWS_WITH_AS(session.run(), "row space 'some': no rows of 'rows' were selected since these were laid out", ShapeError);
}

TEST_CASE("session: inputs and results are checked for name, type and number") {
  Session session(doubling());
  session.rows("rows", Segments(std::array{1}));
  CHECK_THROWS_WITH_AS((void)session.input<float>("z"), "input 'z': the program has none of that name", ConfigError);
  CHECK_THROWS_WITH_AS((void)session.input<std::int32_t>("x"), "input 'x': I32 was given; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(session.set<float>("x", std::array{1.0F}), "input 'x': 1 values were given; wanted 2", ShapeError);
  CHECK_THROWS_WITH_AS((void)session.result<double>("y"), "result 'y': read as F64; it holds F32", DtypeError);
  CHECK_THROWS_WITH_AS((void)session.result<float>("z"), "output 'z': the graph has none of that name", ConfigError);
}

TEST_CASE("session: sessions of one program do not disturb each other") {
  const auto program = doubling();
  Session one(program);
  Session two(program);
  for (auto* session : {&one, &two}) session->rows("rows", Segments(std::array{1}));
  one.set<float>("x", std::array{1.0F, 2.0F});
  two.set<float>("x", std::array{10.0F, 20.0F});
  one.run();
  two.run();
  CHECK(copy_of(one.result<float>("y")) == std::vector<float>{2, 4});
  CHECK(copy_of(two.result<float>("y")) == std::vector<float>{20, 40});
}

TEST_CASE("session: an input that is also a result keeps its numbers") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 2), {2}});
  graph.output("x", x);
  graph.output("y", scale(x, 2));
  Session session(compile(std::move(graph)));
  session.rows("rows", Segments(std::array{1}));
  session.set<float>("x", std::array{1.0F, 2.0F});
  session.run();
  session.run();
  CHECK(copy_of(session.result<float>("x")) == std::vector<float>{1, 2});
  CHECK(copy_of(session.result<float>("y")) == std::vector<float>{2, 4});
}

TEST_CASE("session: the same inputs give the same bits again") {
  Session session(training(Budget::none()));
  feed(session);
  session.run();
  const float loss = session.result<float>("loss")[0];
  const auto gradient = copy_of(session.result<float>("grad.x"));
  feed(session);
  session.run();
  CHECK(session.result<float>("loss")[0] == loss);
  CHECK(copy_of(session.result<float>("grad.x")) == gradient);
}

TEST_CASE("session: a run gives the same bits with any number of threads") {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    Session session(training(Budget::smallest()));
    feed(session);
    session.run();
    results.push_back(copy_of(session.result<float>("grad.x")));
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("session: a run allocates nothing, new layouts included" * doctest::test_suite(kHostMemory)) {
  for (const int threads : {1, 2}) {
    const Threads limit(threads);
    for (const auto budget : {Budget::none(), Budget::smallest()}) {
      Session session(training(budget));
      feed(session);
      // threads start and libraries set themselves up at their first use
      for (int warm_up = 0; warm_up < 3; ++warm_up) {
        feed(session);
        session.run();
      }
      feed(session);
      session.rows("rows", Segments(std::array{40, 10}));
      std::vector<std::int32_t> index(40);
      std::iota(index.begin(), index.end(), 5);
      session.select("labelled", index);
      const std::int64_t before = allocations();
      session.run();
      CHECK(allocations() == before);
    }
  }
}

TEST_CASE("session: allocations are counted") {
  const std::int64_t before = allocations();
  const std::vector<int> some(100);
  CHECK(some.size() == 100);
  CHECK(allocations() > before);
}

TEST_CASE("session: two runs that accumulate give the gradient of both, in less arena") {
  const auto build = [](bool accumulate) {
    Graph graph;
    const RowSpaceId rows = graph.rows("rows", 4, 1);
    Value x = graph.input("x", {Dtype::f32, rows, {32}});
    for (const char* name : {"a", "b", "c"}) x = linear(x, graph.trainable(name, random_tensor({32, 32}, 7).to(Dtype::f32)));
    graph.output("loss", dot(x, x));
    return compile(std::move(graph), {.loss = "loss", .accumulate = accumulate});
  };
  Session plain(build(false));
  Session summed(build(true));
  CHECK(summed.program().arena_bytes() < plain.program().arena_bytes());
  CHECK(summed.program().arena_bytes() + summed.program().leaf_bytes(Role::state) <= plain.program().arena_bytes() + 3 * 32 * 32 * 4 + 64);
  const std::vector<const char*> results = {"grad.a", "grad.b", "grad.c"};
  for (int round = 0; round < 2; ++round) {
    std::vector<std::vector<float>> expected(results.size(), std::vector<float>(32 * 32));
    double loss = 0;
    for (int part = 0; part < 2; ++part) {
      const Tensor x = random_tensor({4, 32}, static_cast<std::uint64_t>(10 * round + part)).to(Dtype::f32);
      for (auto* session : {&plain, &summed}) {
        session->rows("rows", Segments(std::array{4}));
        session->set<float>("x", x.values<float>());
      }
      summed.input<std::int32_t>("first_part")[0] = part == 0 ? 1 : 0;
      plain.run();
      summed.run();
      loss += static_cast<double>(plain.result<float>("loss")[0]);
      for (std::size_t i = 0; i < results.size(); ++i) {
        const auto gradient = plain.result<float>(results[i]);
        for (std::size_t j = 0; j < gradient.size(); ++j) expected[i][j] += gradient[j];
      }
    }
    for (std::size_t i = 0; i < results.size(); ++i) CHECK(copy_of(summed.result<float>(results[i])) == expected[i]);
    CHECK(summed.result<double>("sum.loss")[0] == loss);
  }
}

TEST_CASE("session: a result's memory can be read by another program, and outlives the session") {
  auto session = std::make_unique<Session>(doubling());
  const Tensor shared = session->shared_result("y");
  CHECK(shared.dims() == Dims{4, 2});
  session->rows("rows", Segments(std::array{3}));
  session->set<float>("x", std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  session->run();
  Graph graph;
  graph.output("z", scale(graph.frozen("y", shared), 10));
  Session other(compile(std::move(graph)));
  other.run();
  session.reset();
  CHECK(other.result<float>("z")[5] == 120);
}

TEST_CASE("session: the first number that is not finite is found, even where no result shows it") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 4, 2);
  const Value x = graph.input("x", {Dtype::f32, rows, {2}});
  Value y = graph.frozen("w", random_tensor({2, 2}, 3).to(Dtype::f32));
  {
    const Scope scope(graph, "block.7");
    y = activation(scale(linear(x, y), -1e30), ActivationKind::relu);
  }
  graph.output("y", y);
  CompileOptions options;
  options.fuse = false;
  Session session(compile(std::move(graph), options));
  const auto feed_all = [&](float value) {
    session.rows("rows", Segments(std::array{2}));
    session.set<float>("x", std::vector<float>(4, value));
  };
  feed_all(1);
  CHECK(!session.run_until_anomaly());
  feed_all(1e20F);
  const auto anomaly = session.run_until_anomaly();
  REQUIRE(anomaly);
  CHECK(anomaly->op == "scale");
  CHECK(anomaly->scope == "block.7");
  CHECK(anomaly->leaf.empty());
  CHECK(anomaly->describe() == fmt::format("{} from scale in block.7", anomaly->value));
  feed_all(std::numeric_limits<float>::quiet_NaN());
  const auto fed = session.run_until_anomaly();
  REQUIRE(fed);
  CHECK(fed->describe() == "nan from linear in block.7, which reads 'x', where it stands already");
}

TEST_CASE("session: a device without a queue takes no work before the steps") {
  Session session(doubling());
  CHECK_THROWS_AS(session.set_prologue([] {}), ConfigError);
  session.drop_captured();
}

}  // namespace session_test
