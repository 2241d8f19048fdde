#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/columns.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pack_heads.h"
#include "engine/ops/cast.h"
#include "engine/ops/split_columns.h"
#include "engine/runtime/session.h"
#include "tests/support/attention_cases.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace columns_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Operands a and b, as wide as given.
GradientCase two_blocks(std::int64_t a, std::int64_t b, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  const Segments segments(std::array{20, 3});
  return {{{"r", segments}},
          {{"a", random_tensor({segments.rows(), a}, 1), "r"}, {"b", random_tensor({segments.rows(), b}, 2), "r"}},
          std::move(build)};
}

/// Output and gradients of an attention whose q, k and v are columns of one value: parts of it in place, or copies.
std::map<std::string, std::vector<double>> attended(const NaiveAttention& a, Dtype real, bool trained, bool copies) {
  const GradientCase test = graph_of(a);
  const std::int64_t q = a.q.dim(1), kv = a.k.dim(1);
  Graph graph(real);
  for (const auto& [name, segments] : test.spaces) graph.rows(name, segments.rows(), segments.count() + 1);
  const RowSpaceId rows = graph.rows("q");
  const auto leaf = [&](const std::string& name, const Tensor& values, RowSpaceId space) {
    const Tensor held = values.to(Dtype::f32);
    const Value made = trained ? graph.trainable(name, held, space) : graph.frozen(name, held, space);
    return cast(made, space != kNoRows ? graph.real() : graph.statistic());
  };
  const Value all = scale(leaf("all", random_tensor({a.q.dim(0), q + 2 * kv}, 17), rows), 0.5);
  std::vector<Value> values = copies ? std::vector{slice_columns(all, 0, q), slice_columns(all, q, kv), slice_columns(all, q + kv, kv)}
                                     : split_columns(all, {q, kv, kv});
  for (std::size_t i = 3; i < test.operands.size(); ++i) {
    const Operand& operand = test.operands[i];
    values.push_back(is_floating(operand.values.dtype())
                         ? leaf(operand.name, operand.values, operand.space.empty() ? kNoRows : graph.rows(operand.space))
                         : graph.input(operand.name, {Dtype::i32, kNoRows, operand.values.dims()}));
  }
  const Value o = cast(test.build(graph, values), graph.statistic());
  graph.output("o", o);
  graph.output("loss", dot(o, graph.frozen("direction", random_tensor({a.q.dim(0), q}, 4711).to(graph.statistic()), rows)));
  Session session(compile(std::move(graph), {.loss = trained ? "loss" : "", .backend = &cuda_backend(0)}));
  CHECK((session.program().liveness().columns.size() >= (trained ? 6 : 3)) == !copies);
  return run_case(session, test);
}

/// Self-attention of all kinds, for kernels of all kinds.
std::vector<std::pair<std::string, NaiveAttention>> attention_cases() {
  std::vector<std::pair<std::string, NaiveAttention>> cases;
  const Segments ragged = segments_of({150, 0, 33, 1});
  const AttentionOptions full{.heads = 2, .kv_heads = 2, .scale = 0.3};
  AttentionOptions causal = full;
  causal.causal = true;
  for (const std::int64_t dim : {16, 64, 80, 128, 152}) {
    const std::string heads = "heads of " + std::to_string(dim);
    cases.emplace_back(heads, filled({full, ragged, ragged}, {.dim = dim}));
    cases.emplace_back("causal, prefix, " + heads, filled({causal, ragged, ragged, segments_of({10})}, {.dim = dim, .prefix = true}));
  }
  AttentionOptions grouped = causal;
  grouped.heads = 6;
  cases.emplace_back("grouped heads", filled({grouped, ragged, ragged, segments_of({10})}, {.dim = 40, .prefix = true}));
  AttentionOptions t5 = full;
  t5.scale = 1;
  t5.relative = {.bidirectional = true, .max_distance = 20};
  cases.emplace_back("biases", filled({t5, ragged, ragged}, {.dim = 64, .buckets = 16}));
  return cases;
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: attention in the columns of one value computes what it computes of copies") {
    for (const auto& [name, a] : attention_cases()) {
      CAPTURE(name);
      for (const Dtype real : {Dtype::f32, Dtype::bf16}) {
        CAPTURE(name_of(real));
        for (const bool trained : {false, true}) {
          CAPTURE(trained);
          const auto found = attended(a, real, trained, false), expected = attended(a, real, trained, true);
          CHECK(found.size() == (trained ? 2 + (a.prefix_k.defined() ? 3 : 1) + (a.bias_table.defined() ? 1 : 0) : 2));
          for (const auto& [result, numbers] : expected) {
            CAPTURE(result);
            CHECK(found.at(result) == numbers);
          }
        }
      }
    }
  }

  TEST_CASE("cuda: columns side by side, and a part of them") {
    for (const std::int64_t width : {16, 5}) {
      check_parity("concat", two_blocks(width, 3 * width, [](Graph&, const auto& v) {
                     return concat_columns(std::array{v[0], v[1], v[0]});
                   }));
      check_parity("slice",
                   two_blocks(3 * width, width, [width](Graph&, const auto& v) { return add(slice_columns(v[0], width, width), v[1]); }));
      check_parity("slice at the end",
                   two_blocks(2 * width, width, [width](Graph&, const auto& v) { return add(slice_columns(v[0], width, width), v[1]); }));
    }
  }

  TEST_CASE("cuda: columns in parts, of which some are not read") {
    for (const std::int64_t width : {8, 3}) {
      check_parity("split", two_blocks(4 * width, width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], {width, 2 * width, width});
                     return add(multiply(parts[0], parts[2]), v[1]);
                   }));
      check_parity("split in groups", two_blocks(12 * width, 3 * width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], {width, 2 * width, width}, 3);
                     return add(multiply(parts[0], parts[2]), v[1]);
                   }));
      // more parts than one launch moves
      check_parity("many parts", two_blocks(40 * width, width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], std::vector<std::int64_t>(40, width));
                     Value sum = v[1];
                     for (std::size_t i = 0; i < parts.size(); i += 3) sum = add(sum, scale(parts[i], static_cast<double>(i)));
                     return sum;
                   }));
    }
  }

  TEST_CASE("cuda: heads of prefixes side by side") {
    for (const std::int64_t dim : {16, 5}) {
      check_parity("pack", {{}, {{"x", random_tensor({2, 3, 7, dim}, 1)}}, [](Graph&, const auto& v) { return pack_heads(v[0]); }});
      check_parity("unpack", {{}, {{"y", random_tensor({7, 6 * dim}, 1)}}, [dim](Graph&, const auto& v) {
                                return unpack_heads(v[0], {2, 3, 7, dim});
                              }});
    }
  }
}

}  // namespace columns_parity_test
