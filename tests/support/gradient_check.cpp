#include "tests/support/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <doctest/doctest.h>

#include "engine/core/random.h"
#include "engine/graph/op.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/residence.h"
#include "tests/support/values.h"

namespace preamble::testing {
namespace {

using Names = std::set<std::string>;

/// Rows beyond the layout: kernels must not read or write them.
constexpr double kPoison = 1e30;

struct Built {
  std::shared_ptr<const Program> program;
  std::vector<std::pair<std::string, Tensor>> inputs;
};

/// A leaf whose rows are a row space must have as many rows as the space can hold.
Tensor padded(const Tensor& values, std::int64_t rows) {
  Dims dims = values.dims();
  dims[0] = rows;
  Tensor result(values.dtype(), dims);
  if (values.dtype() == Dtype::f64) std::ranges::fill(result.values<double>(), kPoison);
  if (values.dtype() == Dtype::f32) std::ranges::fill(result.values<float>(), static_cast<float>(kPoison));
  std::copy_n(static_cast<const std::byte*>(values.data()), values.bytes(), static_cast<std::byte*>(result.data()));
  return result;
}

Built build(const GradientCase& test, const Names& trainable, Dtype real, const CompileOptions& options, bool contract, const Tensor* direction,
            std::vector<std::pair<std::string, Tensor>>* leaves = nullptr) {
  Graph graph(real);
  for (const auto& [name, segments] : test.spaces) graph.rows(name, segments.rows() + test.spare_rows, segments.count() + 1);
  Built built;
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    Tensor tensor = is_floating(operand.values.dtype()) ? operand.values.to(real) : operand.values;
    const RowSpaceId rows = operand.space.empty() ? kNoRows : graph.rows(operand.space);
    if (rows != kNoRows && is_floating(tensor.dtype())) tensor = padded(tensor, graph.rows(rows).rows);
    if (trainable.contains(operand.name)) {
      if (tensor.data() == operand.values.data()) tensor = tensor.clone();
      if (leaves != nullptr) leaves->emplace_back(operand.name, tensor);
      values.push_back(graph.trainable(operand.name, tensor, rows));
    } else if (is_floating(tensor.dtype())) {
      values.push_back(graph.frozen(operand.name, tensor, rows));
    } else {
      Dims dims = tensor.dims();
      if (rows != kNoRows) dims.erase(dims.begin());
      values.push_back(graph.input(operand.name, {Dtype::i32, rows, dims}));
      built.inputs.emplace_back(operand.name, tensor);
    }
  }
  const Value value = test.build(graph, values);
  if (contract) {
    Value against;
    if (direction != nullptr) {
      const Type& type = value.type();
      Tensor d = direction->to(real);
      if (type.has_rows()) d = padded(d, graph.rows(type.rows).rows);
      against = graph.frozen("check.direction", d, type.rows);
    }
    graph.output("check.loss", dot(value, against));
  } else {
    graph.output("check.value", value);
  }
  built.program = compile(std::move(graph), options);
  return built;
}

void prepare(Session& session, const GradientCase& test, const Built& built) {
  for (const auto& [name, segments] : test.spaces) session.rows(name, segments);
  for (const auto& [name, tensor] : built.inputs) session.set<std::int32_t>(name, tensor.values<std::int32_t>());
}

/// The memory of inputs is used again once they are read: they are filled before every run.
double loss_of(Session& session, const GradientCase& test, const Built& built) {
  prepare(session, test, built);
  session.run();
  return session.result<double>("check.loss")[0];
}

void check_subset(const GradientCase& test, const Names& trainable, const Tensor& direction, double tolerance) {
  std::vector<std::pair<std::string, Tensor>> leaves;
  CompileOptions options;
  options.loss = "check.loss";
  const Built built = build(test, trainable, Dtype::f64, options, true, &direction, &leaves);
  Session session(built.program);
  prepare(session, test, built);
  session.run();
  for (const auto& operand : test.operands) {
    const bool has = built.program->graph().outputs().contains("grad." + operand.name);
    INFO("operand ", operand.name);
    CHECK(has == trainable.contains(operand.name));
  }
  std::vector<Tensor> gradients;
  double largest = 0;
  for (const auto& [name, leaf] : leaves) {
    gradients.push_back(session.result_tensor("grad." + name));
    for (const double g : std::as_const(gradients.back()).values<double>()) largest = std::max(largest, std::abs(g));
  }
  options.memory = Budget::smallest();
  const Built small = build(test, trainable, Dtype::f64, options, true, &direction);
  Session recomputed(small.program);
  prepare(recomputed, test, small);
  recomputed.run();
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const Tensor again = recomputed.result_tensor("grad." + leaves[i].first);
    const auto a = std::as_const(again).values<double>();
    const auto b = std::as_const(gradients[i]).values<double>();
    double worst = 0;
    for (std::size_t j = 0; j < a.size(); ++j) worst = std::max(worst, std::abs(a[j] - b[j]));
    CHECK_MESSAGE(worst <= 1e-12 * std::max(1.0, largest), "gradient of ", leaves[i].first, " with the smallest budget");
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    auto values = leaves[i].second.values<double>();
    const auto gradient = std::as_const(gradients[i]).values<double>();
    for (std::size_t j = 0; j < gradient.size(); ++j) {
      constexpr double kStep = 1e-5;
      const auto loss_at = [&](double value) {
        values[j] = value;
        uploaded(leaves[i].second);
        return loss_of(session, test, built);
      };
      const double kept = values[j];
      const double above = loss_at(kept + kStep);
      const double below = loss_at(kept - kStep);
      values[j] = kept;
      uploaded(leaves[i].second);
      const double expected = (above - below) / (2 * kStep);
      CHECK_MESSAGE(std::abs(gradient[j] - expected) <= tolerance * std::max(1.0, largest), "gradient of ", leaves[i].first, "[", j, "]: ",
                    gradient[j], " differs from the central difference ", expected);
    }
  }
}

}  // namespace

Tensor random_tensor(Dims dims, std::uint64_t seed) {
  Tensor tensor(Dtype::f64, std::move(dims));
  Random random(seed, 77);
  for (auto& x : tensor.values<double>()) x = static_cast<double>(random.bits()) * 0x1.0p-31 - 1.0;
  return tensor;
}

Tensor evaluate(const GradientCase& test, Dtype real, bool fuse) {
  CompileOptions options;
  options.fuse = fuse;
  const Built built = build(test, {}, real, options, false, nullptr);
  Session session(built.program);
  prepare(session, test, built);
  session.run();
  return session.result_tensor("check.value");
}

std::map<std::string, std::vector<double>> run_case(Session& session, const GradientCase& test) {
  for (const auto& [name, segments] : test.spaces) session.rows(name, segments);
  for (const auto& operand : test.operands) {
    if (!is_floating(operand.values.dtype())) session.set<std::int32_t>(operand.name, operand.values.values<std::int32_t>());
  }
  session.run();
  std::map<std::string, std::vector<double>> results;
  for (const auto& [name, value] : session.program().graph().outputs()) results.emplace(name, numbers(session.result_tensor(name)));
  return results;
}

void check_gradients(const GradientCase& test, double tolerance) {
  std::vector<std::string> names;
  for (const auto& operand : test.operands) {
    if (operand.differentiable && is_floating(operand.values.dtype())) names.push_back(operand.name);
  }
  REQUIRE(!names.empty());
  REQUIRE(names.size() < 8);
  const Tensor value = evaluate(test);
  Tensor direction = random_tensor(value.dims(), 4711);
  for (std::uint32_t subset = 1; subset < 1U << names.size(); ++subset) {
    Names trainable;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if ((subset >> i & 1U) != 0) trainable.insert(names[i]);
    }
    CAPTURE(subset);
    check_subset(test, trainable, direction, tolerance);
  }
}

std::vector<std::string> kept_values(const GradientCase& test, const std::vector<std::string>& trainable) {
  const Tensor direction = random_tensor(evaluate(test).dims(), 4711);
  CompileOptions options;
  options.loss = "check.loss";
  const Built built = build(test, {trainable.begin(), trainable.end()}, Dtype::f64, options, true, &direction);
  const Graph& graph = built.program->graph();
  std::set<std::string> kept;
  for (const auto& node : graph.nodes()) {
    if (node.phase == Phase::forward) continue;
    for (const auto& input : node.inputs) {
      if (!input || graph.node(input).phase != Phase::forward) continue;
      const Node& producer = graph.node(input);
      if (producer.role == Role::input || producer.name == "check.direction") continue;
      kept.insert(producer.op ? fmt::format("{}#{}", producer.op->name(), input.output) : producer.name);
    }
  }
  return {kept.begin(), kept.end()};
}

}  // namespace preamble::testing
