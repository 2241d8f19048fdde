#include "peft/training_step.h"

#include <array>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "engine/compile/differentiate.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "models/building.h"

namespace preamble {
namespace {

std::shared_ptr<const Program> compile_loss(const LossModel& model, const Method& method, const TrainingStepOptions& options,
                                            Conditioning& conditioning) {
  Graph graph;
  if (options.dropout_seed) graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  conditioning = method.condition(graph);
  conditioning.dropout = options.dropout;
  drop_prefixes(graph, conditioning);
  model.build(graph, conditioning, options.z_loss);
  CompileOptions compile_options;
  compile_options.loss = LossModel::kLoss;
  compile_options.memory = options.memory;
  compile_options.accumulate = options.accumulate;
  return compile(std::move(graph), compile_options);
}

}  // namespace

TrainingStep::TrainingStep(std::unique_ptr<LossModel> model, const Method& method, const TrainingStepOptions& options)
    : model_(std::move(model)),
      options_(options),
      trainables_(method.trainables()),
      session_(compile_loss(*model_, method, options, conditioning_)),
      loss_(options.accumulate ? sum_name(LossModel::kLoss) : std::string(LossModel::kLoss)) {
  for (auto& trainable : model_->trainables()) trainables_.push_back(std::move(trainable));
  const Parameters& parameters = model_->model().parameters();
  for (const auto& [name, tensor] : parameters.loaded()) {
    if (!parameters.is_frozen(name)) trainables_.push_back({name, tensor});
  }
  require<ConfigError>(!trainables_.empty(), "training: nothing is trainable");
}

std::vector<Dims> TrainingStep::shapes() const {
  std::vector<Dims> shapes;
  for (const auto& trainable : trainables_) shapes.push_back(trainable.value.dims());
  return shapes;
}

void TrainingStep::feed_dropout(std::int64_t step, std::size_t part) {
  if (!options_.dropout_seed || !session_.program().has_input(kDropoutKey)) return;
  const std::uint64_t seed = *options_.dropout_seed;
  const auto update = static_cast<std::uint64_t>(step);
  const auto bits =
      philox({static_cast<std::uint32_t>(update), static_cast<std::uint32_t>(update >> 32U), static_cast<std::uint32_t>(part), 0},
             {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  session_.set<std::int32_t>(kDropoutKey, std::array{static_cast<std::int32_t>(bits[0]), static_cast<std::int32_t>(bits[1])});
}

template <class Run>
StepResult TrainingStep::run_parts(std::span<const LossBatch> parts, std::int64_t step, const Run& each) {
  require<ConfigError>(options_.accumulate || parts.size() <= 1,
                       "training: a batch in {} parts was given; wanted one, for gradients are not accumulated", parts.size());
  StepResult result;
  for (const auto& part : parts) result.label_tokens += model_->label_count(part, conditioning_);
  require<ConfigError>(result.label_tokens > 0, "training: a batch without any label was given; wanted one at least");
  const double weight = options_.mean ? 1.0 / static_cast<double>(result.label_tokens) : 1.0;
  bool first = true;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const LossBatch& part = parts[i];
    if (model_->label_count(part, conditioning_) == 0) continue;
    model_->feed(session_, part, conditioning_, weight);
    feed_dropout(step, i);
    if (options_.accumulate) session_.input<std::int32_t>(kFirstPart)[0] = first ? 1 : 0;
    first = false;
    each();
    result.rows += model_->rows(part, conditioning_);
  }
  return result;
}

StepResult TrainingStep::run_parts(std::span<const LossBatch> parts, std::int64_t step) {
  if (!options_.detect_anomaly) return run_parts(parts, step, [&] { session_.run(); });
  return run_parts(parts, step, [&] {
    const auto anomaly = session_.run_until_anomaly();
    require<Error>(!anomaly, "training: step {}: {}; nothing was updated", step + 1, anomaly ? anomaly->describe() : "");
  });
}

StepResult TrainingStep::differentiate(std::span<const LossBatch> parts, std::int64_t step) {
  StepResult result = run_parts(parts, step);
  result.loss = options_.accumulate ? session_.result<double>(loss_)[0] : static_cast<double>(session_.result<float>(loss_)[0]);
  return result;
}

std::span<const float> TrainingStep::gradient(std::size_t i) const {
  const std::string name = "grad." + trainables_.at(i).name;
  if (!session_.program().graph().outputs().contains(name)) return {};
  return session_.result<float>(name);
}

void TrainingStep::optimize_with(Optimizer& optimizer) {
  std::vector<ParameterUpdate> parameters;
  for (const auto& [name, value] : trainables_) {
    const std::string gradient = "grad." + name;
    const bool has_gradient = program().graph().outputs().contains(gradient);
    parameters.push_back({name, value, has_gradient ? session_.shared_result(gradient).reshaped(value.dims()) : Tensor()});
  }
  update_ = std::make_unique<Update>(optimizer, parameters, session_.shared_result(loss_), options_.max_grad_norm, program().backend());
}

StepResult TrainingStep::update(std::span<const LossBatch> parts, double learning_rate, std::int64_t step) {
  require<ConfigError>(update_ != nullptr, "training: an update was asked for before `optimize_with`; wanted an optimizer");
  StepResult result = run_parts(parts, step);
  const UpdateReport report = update_->run(learning_rate);
  if (!report.applied) refuse(parts, step, report);
  result.loss = report.loss;
  result.gradient_norm = report.gradient_norm;
  return result;
}

void TrainingStep::refuse(std::span<const LossBatch> parts, std::int64_t step, const UpdateReport& report) {
  const std::string parameter = update_->first_bad_gradient();
  // nothing has changed: the same batch gives the same numbers again
  std::optional<Anomaly> anomaly;
  (void)run_parts(parts, step, [&] {
    if (!anomaly) anomaly = session_.run_until_anomaly();
  });
  const std::string what = parameter.empty() ? fmt::format("the loss is {}", report.loss)
                                             : fmt::format("the loss is {}, the gradient of '{}' is not finite", report.loss, parameter);
  raise<Error>("training: step {}: {}; first: {}; nothing was updated; lower the learning rate or clip gradients", step + 1, what,
               anomaly ? anomaly->describe() : "the sum of the parts");
}

void TrainingStep::download(Optimizer& optimizer) {
  Residence& residence = program().backend().residence();
  for (auto& trainable : trainables_) residence.download(trainable.value);
  for (auto [name, tensor] : optimizer.state()) residence.download(tensor);
}

void TrainingStep::upload(Optimizer& optimizer) {
  Residence& residence = program().backend().residence();
  for (const auto& trainable : trainables_) residence.upload(trainable.value);
  for (const auto& [name, tensor] : optimizer.state()) residence.upload(tensor);
}

std::uint64_t TrainingStep::model_hash() const {
  const auto& loaded = model_->model().parameters().loaded();
  std::set<std::string, std::less<>> names;
  for (const auto& node : program().graph().nodes()) {
    if (!node.op && loaded.contains(node.name)) names.insert(node.name);
  }
  return model_->model().parameters().hash_of(names);
}

}  // namespace preamble
