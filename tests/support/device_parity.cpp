#include "tests/support/device_parity.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/values.h"

namespace preamble::testing {
namespace {

using ParityResults = std::map<std::string, Tensor>;

/// One way to build a case.
struct ParityVariant {
  std::string name;
  Dtype activations = Dtype::f32;
  bool trained = false;
  Dtype parameters = Dtype::f32;  ///< of frozen operands without rows
  Budget memory = Budget::automatic();
};

double norm_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += x * x;
  return std::sqrt(sum);
}

/// The value that an element type makes of a number.
Tensor rounded(const Tensor& values, Dtype dtype) { return dtype == Dtype::bf16 ? values.to(Dtype::bf16).to(Dtype::f64) : values; }

/// With rows behind those of the layout, which nobody may read.
Tensor with_spare_rows(const Tensor& values, std::int64_t rows) {
  constexpr double kPoison = 1e30;
  Dims dims = values.dims();
  dims[0] = rows;
  Tensor result(Dtype::f64, dims);
  std::ranges::fill(result.values<double>(), kPoison);
  std::ranges::copy(values.values<double>(), result.values<double>().begin());
  return result;
}

/// A program of a case: on the GPU as the variant says, on the CPU in double over the same numbers.
class ParityProgram {
 public:
  ParityProgram(const GradientCase& test, const ParityVariant& variant, const Backend& backend, bool exact) : test_(test) {
    Graph graph(exact ? Dtype::f64 : variant.activations);
    for (const auto& [name, segments] : test.spaces) graph.rows(name, segments.rows() + test.spare_rows, segments.count() + 1);
    std::vector<Value> values;
    for (const auto& operand : test.operands) values.push_back(operand_of(graph, operand, variant, exact));
    const Value value = as_statistic(test.build(graph, values));
    graph.output("value", value);
    CompileOptions options;
    options.backend = &backend;
    options.memory = variant.memory;
    if (variant.trained && trains_) {
      Tensor direction = random_tensor(dims_of(graph, value.type()), 4711);
      direction_norm_ = norm_of(numbers(direction));
      graph.output("loss", dot(value, graph.frozen("direction", direction.to(graph.statistic()), value.type().rows)));
      options.loss = "loss";
    }
    session_ = std::make_unique<Session>(compile(std::move(graph), options));
  }

  [[nodiscard]] double direction_norm() const noexcept { return direction_norm_; }

  [[nodiscard]] ParityResults run() {
    for (const auto& [name, segments] : test_.spaces) session_->rows(name, segments);
    for (const auto& operand : test_.operands) {
      if (!is_floating(operand.values.dtype())) session_->set<std::int32_t>(operand.name, operand.values.values<std::int32_t>());
    }
    session_->run();
    ParityResults results;
    for (const auto& [name, value] : session_->program().graph().outputs()) results.emplace(name, session_->result_tensor(name).clone());
    return results;
  }

 private:
  static Value as_statistic(Value value) { return cast(value, value.graph->statistic()); }

  static Dims dims_of(const Graph& graph, const Type& type) {
    Dims dims = type.dims;
    if (type.has_rows()) dims.insert(dims.begin(), graph.capacity(type));
    return dims;
  }

  Value operand_of(Graph& graph, const Operand& operand, const ParityVariant& variant, bool exact) {
    const RowSpaceId rows = operand.space.empty() ? kNoRows : graph.rows(operand.space);
    if (!is_floating(operand.values.dtype())) {
      Dims dims = operand.values.dims();
      if (rows != kNoRows) dims.erase(dims.begin());
      return graph.input(operand.name, {Dtype::i32, rows, dims});
    }
    const bool trained = variant.trained && operand.differentiable;
    trains_ = trains_ || trained;
    // scalars are statistics, and a graph of f32 takes bf16 in the place of matrices alone
    const std::size_t fewest_axes = variant.activations == Dtype::bf16 ? 1 : 2;
    const bool narrow = rows == kNoRows && !trained && operand.values.dims().size() >= fewest_axes;
    const Dtype stored = narrow ? variant.parameters : Dtype::f32;
    Tensor values = rounded(operand.values, rows != kNoRows ? variant.activations : stored);
    if (rows != kNoRows) values = with_spare_rows(values, graph.rows(rows).rows);
    values = values.to(exact ? Dtype::f64 : stored).clone();
    const Value leaf = trained ? graph.trainable(operand.name, values, rows) : graph.frozen(operand.name, values, rows);
    return rows != kNoRows ? cast(leaf, graph.real()) : leaf;
  }

  const GradientCase& test_;
  bool trains_ = false;
  double direction_norm_ = 0;
  std::unique_ptr<Session> session_;
};

void check_variant(const GradientCase& test, const ParityVariant& variant, double tolerance, double term) {
  CAPTURE(variant.name);
  ParityProgram exact(test, variant, cpu_backend(), true);
  const ParityResults expected = exact.run();
  ParityProgram program(test, variant, cuda_backend(0), false);
  const ParityResults found = program.run();
  const ParityResults again = program.run();
  const ParityResults anew = ParityProgram(test, variant, cuda_backend(0), false).run();
  REQUIRE(found.size() == expected.size());
  for (const auto& [name, tensor] : found) {
    CAPTURE(name);
    REQUIRE(tensor.dims() == expected.at(name).dims());
    std::vector<double> difference = numbers(tensor);
    const std::vector<double> right = numbers(expected.at(name));
    for (std::size_t i = 0; i < right.size(); ++i) difference[i] -= right[i];
    double size = name == "loss" ? norm_of(numbers(expected.at("value"))) * exact.direction_norm() : norm_of(right);
    size = std::max(size, term * std::sqrt(static_cast<double>(right.size())));
    CHECK(norm_of(difference) <= tolerance * size);
    CHECK(std::memcmp(tensor.data(), again.at(name).data(), tensor.bytes()) == 0);
    CHECK(std::memcmp(tensor.data(), anew.at(name).data(), tensor.bytes()) == 0);
  }
}

}  // namespace

void check_parity(const std::string& name, const GradientCase& test, const ParityOptions& options) {
  CAPTURE(name);
  for (const Dtype activations : {Dtype::f32, Dtype::bf16}) {
    const double tolerance = activations == Dtype::bf16 ? options.bf16 : options.f32;
    const std::string type(name_of(activations));
    check_variant(test, {.name = type + ", frozen", .activations = activations, .parameters = activations}, tolerance, options.term);
    if (!options.trained) continue;
    check_variant(test, {.name = type + ", trained", .activations = activations, .trained = true}, tolerance, options.term);
    if (!options.smallest_budget) continue;
    check_variant(test, {.name = type + ", trained, smallest", .activations = activations, .trained = true, .memory = Budget::smallest()},
                  tolerance, options.term);
  }
  if (options.narrow_parameters) {
    check_variant(test, {.name = "F32 over BF16", .activations = Dtype::f32, .parameters = Dtype::bf16}, options.f32, options.term);
  }
}

}  // namespace preamble::testing
