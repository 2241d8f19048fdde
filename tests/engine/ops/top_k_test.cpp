#include "engine/ops/top_k.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"

namespace top_k_test {

using namespace preamble;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  std::vector<std::vector<float>> logits;
  std::int64_t k = 1;
  bool log_probabilities = false;
  std::vector<std::vector<std::int32_t>> asked = {};  ///< empty: nothing
  std::vector<float> offsets = {};                    ///< empty: none
};

struct Found {
  std::vector<float> scores, largest, log_sum, asked;
  std::vector<std::int32_t> index;
};

template <class T>
std::vector<T> joined(const std::vector<std::vector<T>>& rows) {
  std::vector<T> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

template <class T>
std::vector<T> result(const Session& session, std::string_view name) {
  const auto values = session.result<T>(name);
  return {values.begin(), values.end()};
}

Found run(const Case& test) {
  Graph graph;
  const auto rows = static_cast<std::int32_t>(test.logits.size());
  const RowSpaceId space = graph.rows("rows", rows + 2, 1);
  const auto width = [](const auto& v) { return static_cast<std::int64_t>(v.front().size()); };
  const Value logits = graph.input("logits", {Dtype::f32, space, {width(test.logits)}});
  TopKOperands operands;
  if (!test.asked.empty()) operands.asked = graph.input("asked", {Dtype::i32, space, {width(test.asked)}});
  if (!test.offsets.empty()) operands.offset = graph.input("offsets", {Dtype::f32, space, {}});
  const TopKResult best = top_k(logits, test.k, test.log_probabilities, operands);
  graph.output("scores", best.scores);
  graph.output("index", best.index);
  graph.output("largest", best.largest);
  graph.output("log_sum", best.log_sum);
  if (best.asked) graph.output("asked_scores", best.asked);
  Session session(compile(std::move(graph)));
  session.rows("rows", Segments(std::array{rows}));
  session.set<float>("logits", joined(test.logits));
  if (!test.asked.empty()) session.set<std::int32_t>("asked", joined(test.asked));
  if (!test.offsets.empty()) session.set<float>("offsets", test.offsets);
  session.run();
  Found found{result<float>(session, "scores"), result<float>(session, "largest"), result<float>(session, "log_sum"), {},
              result<std::int32_t>(session, "index")};
  if (!test.asked.empty()) found.asked = result<float>(session, "asked_scores");
  return found;
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("top_k: the best of each row, of equal ones the smaller index first") {
  const Found found = run({.logits = {{1, 3, -2, 3}, {0, 0, 0, 0}}, .k = 3});
  CHECK(found.index == Ids{1, 3, 0, 0, 1, 2});
  CHECK(found.scores == std::vector<float>{3, 3, 1, 0, 0, 0});
  CHECK(found.largest == std::vector<float>{3, 0});
}

TEST_CASE("top_k: log-probabilities and offsets, by hand") {
  const Found found = run({.logits = {{0, std::log(3.0F)}, {1000, 1000}}, .k = 2, .log_probabilities = true, .offsets = {-1, 2}});
  CHECK(found.index == Ids{1, 0, 0, 1});
  CHECK(found.scores[0] == doctest::Approx(std::log(0.75) - 1));
  CHECK(found.scores[1] == doctest::Approx(std::log(0.25) - 1));
  CHECK(found.scores[2] == doctest::Approx(2 - std::log(2.0)));
  CHECK(found.log_sum[1] == doctest::Approx(std::log(2.0)));
}

TEST_CASE("top_k: asked entries are told apart, without the offset, and leave the list") {
  const Found found = run({.logits = {{5, 4, 3, 2}, {5, 4, 3, 2}}, .k = 3, .asked = {{3, 0, 3}, {-1, 2, -1}}, .offsets = {10, 0}});
  CHECK(found.index == Ids{1, 2, -1, 0, 1, 3});
  CHECK(found.scores == std::vector<float>{14, 13, -kInfinity, 5, 4, 2});
  CHECK(found.asked == std::vector<float>{2, 5, 2, -kInfinity, 3, -kInfinity});
}

TEST_CASE("top_k: equals a full sort of rounded scores, for every k") {
  Random random(3);
  constexpr std::size_t kWidth = 1000;
  std::vector<std::vector<float>> logits(3, std::vector<float>(kWidth));
  for (auto& row : logits) {
    for (float& x : row) x = static_cast<float>(random.below(100)) / 8;  // many equals
  }
  logits[1][17] = -kInfinity;
  const std::vector<float> offsets{0, -1e9F, -kInfinity};
  for (const std::int64_t k : {1, 2, 37, 999, 1000}) {
    for (const bool log_probabilities : {false, true}) {
      CAPTURE(k);
      CAPTURE(log_probabilities);
      const std::vector<Ids> asked(3, Ids{0, 500, -1, 999});
      const Found found = run({logits, k, log_probabilities, asked, offsets});
      for (std::size_t r = 0; r < 3; ++r) {
        const auto score = [&](std::int32_t v) {
          const float x = logits[r][static_cast<std::size_t>(v)];
          return (log_probabilities ? x - found.largest[r] - found.log_sum[r] : x) + offsets[r];
        };
        Ids order(kWidth);
        std::iota(order.begin(), order.end(), 0);
        std::erase_if(order, [&](std::int32_t v) { return v == 0 || v == 500 || v == 999; });
        std::ranges::stable_sort(order, [&](auto a, auto b) { return score(a) > score(b); });
        order.resize(static_cast<std::size_t>(k), -1);
        const auto first = found.index.begin() + static_cast<std::ptrdiff_t>(r) * k;
        CHECK(Ids(first, first + k) == order);
      }
    }
  }
}

TEST_CASE("top_k: a NaN shows wherever it stands, and in its own row alone") {
  for (const std::size_t at : {0UL, 1UL, 299UL}) {
    std::vector<std::vector<float>> logits(2, std::vector<float>(300, 1));
    logits[0][at] = kNan;
    const Found found = run({.logits = logits, .k = 4, .log_probabilities = true});
    CHECK(std::isnan(found.largest[0]));
    CHECK(found.largest[1] == 1);
    CHECK(found.log_sum[1] == doctest::Approx(std::log(300.0)));
  }
  CHECK(run({.logits = {{0, kInfinity}}}).largest[0] == kInfinity);
  CHECK(run({.logits = {{-kInfinity, -kInfinity}}, .k = 2}).index == Ids{0, 1});
}

TEST_CASE("top_k: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 4, 1);
  const RowSpaceId others = graph.rows("others", 4, 1);
  const Value logits = graph.input("logits", {Dtype::f32, rows, {6}});
  CHECK_THROWS_AS(top_k(logits, 0, false), ShapeError);
  CHECK_THROWS_AS(top_k(logits, 7, false), ShapeError);
  CHECK_THROWS_AS(top_k(logits, 1, false, {.asked = graph.input("a", {Dtype::i32, others, {2}}), .offset = {}}), ShapeError);
  CHECK_THROWS_AS(top_k(logits, 1, false, {.asked = graph.input("b", {Dtype::f32, rows, {2}}), .offset = {}}), DtypeError);
  CHECK_THROWS_AS(top_k(logits, 1, false, {.asked = {}, .offset = graph.input("c", {Dtype::f32, rows, {2}})}), ShapeError);
}

}  // namespace top_k_test
