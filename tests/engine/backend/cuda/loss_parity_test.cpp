#include <array>
#include <cmath>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/segment_cross_entropy.h"
#include "engine/ops/segment_likelihood.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace loss_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Tensor spread_labels(std::int32_t rows, std::int64_t vocabulary) {
  std::vector<std::int32_t> labels;
  for (std::int32_t r = 0; r < rows; ++r) labels.push_back(static_cast<std::int32_t>((r * 7919LL + 3) % vocabulary));
  return indices(labels);
}

Operand loss_weight(double value) { return {"weight", doubles({}, {value}), {}, false}; }

/// Operands logits, labels, weight.
GradientCase logits_case(std::int32_t rows, std::int64_t vocabulary, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  GradientCase test{
      {{"r", Segments(std::array{rows})}},
      {{"logits", random_tensor({rows, vocabulary}, 1), "r"}, {"labels", spread_labels(rows, vocabulary), "r"}, loss_weight(0.3)},
      std::move(build)};
  for (auto& x : test.operands[0].values.values<double>()) x *= 6;
  return test;
}

struct HeadSizes {
  std::int32_t rows;
  std::int64_t width, vocabulary;
};

/// Operands x, w, bias, labels, weight.
GradientCase head_case(HeadSizes s, double z_loss, bool bias) {
  GradientCase test{
      {{"r", Segments(std::array{s.rows})}},
      {{"x", random_tensor({s.rows, s.width}, 1), "r"},
       {"w", random_tensor({s.vocabulary, s.width}, 2)},
       {"labels", spread_labels(s.rows, s.vocabulary), "r"},
       loss_weight(0.3)},
      [z_loss](Graph&, const auto& v) { return linear_cross_entropy(v[0], v[1], v.size() > 4 ? v[4] : Value{}, v[2], v[3], z_loss); }};
  if (bias) test.operands.push_back({"bias", random_tensor({s.vocabulary}, 3)});
  return test;
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: cross entropies of logits") {
    for (const std::int64_t vocabulary : {2, 37, 4096, 30001}) {
      for (const double z_loss : {0.0, 0.01}) {
        check_parity("loss",
                     logits_case(19, vocabulary, [z_loss](Graph&, const auto& v) { return cross_entropy(v[0], v[1], v[2], z_loss); }));
      }
      check_parity("nll", logits_case(19, vocabulary, [](Graph&, const auto& v) { return nll_of(cross_entropy(v[0], v[1], v[2])); }),
                   {.trained = false});
    }
    check_parity("no rows", logits_case(0, 50, [](Graph&, const auto& v) { return cross_entropy(v[0], v[1], v[2]); }));
  }

  TEST_CASE("cuda: the fused head and loss, with its gradients") {
    for (const auto& sizes : {HeadSizes{21, 32, 11}, HeadSizes{150, 24, 1003}, HeadSizes{0, 16, 40}}) {
      for (const bool bias : {false, true}) check_parity("head", head_case(sizes, 0.01, bias), {.narrow_parameters = true});
    }
    // several chunks of rows, the last of them short
    check_parity("chunks", head_case({300, 8, 120001}, 1e-4, true), {.narrow_parameters = true});
  }

  TEST_CASE("cuda: cross entropies over the rows of segments") {
    const Segments segments(std::array{5, 0, 70, 1});
    for (const std::int64_t columns : {1, 2}) {
      // a label for each segment of the capacity
      std::vector<std::int32_t> labels = {2, 0, 69, -1, 0};
      if (columns == 2) labels = {2, 4, 0, 0, 69, -1, 0, 0, 0, 0};
      Tensor places = tensor_of({5, columns}, labels);
      check_parity("segments", {{{"r", segments}},
                                {{"logits", random_tensor({segments.rows(), columns}, 1), "r"}, {"labels", places}, loss_weight(0.5)},
                                [](Graph&, const auto& v) { return segment_cross_entropy(v[0], v[1], v[2]); }});
    }
  }

  TEST_CASE("cuda: likelihoods of the labels of segments") {
    const Segments segments(std::array{5, 0, 70, 1});
    for (const std::int64_t vocabulary : {2, 37, 4096, 30001}) {
      GradientCase test{{{"r", segments}, {"s", Segments(std::array{segments.count()})}},
                        {{"logits", random_tensor({segments.rows(), vocabulary}, 1), "r"},
                         {"labels", spread_labels(segments.rows(), vocabulary), "r"}},
                        [](Graph& graph, const auto& v) { return segment_likelihood(v[0], v[1], graph.rows("s")); }};
      for (auto& x : test.operands[0].values.values<double>()) x *= 6;
      check_parity("likelihood", test);
    }
    const Segments none(std::array{0, 0});
    check_parity("no rows", {{{"r", none}, {"s", Segments(std::array{2})}},
                             {{"logits", random_tensor({0, 7}, 1), "r"}, {"labels", spread_labels(0, 7), "r"}},
                             [](Graph& graph, const auto& v) { return segment_likelihood(v[0], v[1], graph.rows("s")); }});
  }
}

}  // namespace loss_parity_test
