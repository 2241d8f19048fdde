#include "engine/runtime/update.h"

#include <cmath>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/gradient_norm.h"
#include "engine/runtime/compile.h"

namespace preamble {
namespace {

constexpr std::string_view kLearningRate = "learning_rate";
constexpr std::string_view kStepNumber = "step";
constexpr std::string_view kReportResult = "report";
constexpr std::string_view kPartialResult = "partial";

std::vector<ParameterUpdate> with_gradient(std::span<const ParameterUpdate> parameters) {
  std::vector<ParameterUpdate> updated;
  for (const auto& parameter : parameters) {
    if (parameter.gradient.defined()) updated.push_back(parameter);
  }
  require<ConfigError>(!updated.empty(), "update: none of {} parameters has a gradient", parameters.size());
  return updated;
}

std::shared_ptr<const Program> compile_update(const Optimizer& optimizer, std::span<const ParameterUpdate> parameters, const Tensor& loss,
                                              double max_norm, const Backend& backend) {
  require<ConfigError>(parameters.size() == optimizer.shapes().size(), "update: {} parameters were given; the optimizer was made for {}",
                       parameters.size(), optimizer.shapes().size());
  Graph graph;
  std::vector<Value> gradients;
  std::vector<UpdateOperands> operands;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, value, gradient] = parameters[i];
    if (!gradient.defined()) continue;
    UpdateOperands& operand = operands.emplace_back();
    operand.value = graph.state("value." + name, value);
    // frozen: another program writes it
    gradients.push_back(operand.gradient = graph.frozen("grad." + name, gradient));
    const auto names = optimizer.state_names(i);
    const auto states = optimizer.states(i);
    for (std::size_t s = 0; s < states.size(); ++s) operand.states.push_back(graph.state(names[s], states[s]));
  }
  const GradientNormValues norm = gradient_norm(gradients, graph.frozen("loss", loss), max_norm);
  graph.output(kReportResult, norm.report);
  graph.output(kPartialResult, norm.partial);
  const Value learning_rate = graph.input(kLearningRate, {Dtype::f64, kNoRows, {}});
  const Value step = graph.input(kStepNumber, {Dtype::i64, kNoRows, {}});
  append_update(optimizer.op(operands.size()), {norm.scale, learning_rate, step}, operands);
  CompileOptions options;
  options.backend = &backend;
  return compile(std::move(graph), options);
}

}  // namespace

Update::Update(Optimizer& optimizer, std::span<const ParameterUpdate> parameters, const Tensor& loss, double max_norm,
               const Backend& backend)
    : optimizer_(optimizer),
      updated_(with_gradient(parameters)),
      session_(compile_update(optimizer, parameters, loss, max_norm, backend)) {}

void Update::start(double learning_rate) {
  session_.input<double>(kLearningRate)[0] = learning_rate;
  session_.input<std::int64_t>(kStepNumber)[0] = optimizer_.steps();
  session_.run();
}

UpdateReport Update::finish() {
  const auto report = session_.result<double>(kReportResult);
  const bool applied = std::isfinite(report[0]) && std::isfinite(report[1]);
  if (applied) optimizer_.count_step();
  return {report[0], report[1], applied};
}

std::string Update::first_bad_gradient() const {
  auto partial = session_.result<double>(kPartialResult);
  for (const auto& parameter : updated_) {
    const auto blocks = static_cast<std::size_t>(GradientNorm::blocks(parameter.value.count()));
    for (const double sum : partial.first(blocks)) {
      if (!std::isfinite(sum)) return parameter.name;
    }
    partial = partial.subspan(blocks);
  }
  return {};
}

}  // namespace preamble
