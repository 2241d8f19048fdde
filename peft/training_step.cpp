#include "peft/training_step.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "engine/backend/cuda/nccl.h"
#include "engine/compile/differentiate.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/distributed/ordered_sum.h"
#include "models/building.h"

namespace preamble {
namespace {

std::shared_ptr<const Program> compile_loss(const LossModel& model, const Method& method, const TrainingStepOptions& options,
                                            Conditioning& conditioning) {
  Graph graph = model.model().parameters().graph();
  if (options.dropout_seed) graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  conditioning = method.condition(graph);
  conditioning.dropout = options.dropout;
  drop_prefixes(graph, conditioning);
  model.build(graph, conditioning, options.z_loss, options.weighs_slots || !options.task_rates.empty());
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
  require<ConfigError>(options_.mean || options_.task_rates.empty(), "training: rates of tasks were given with a sum of losses; wanted the mean");
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

std::vector<double> TrainingStep::task_weights(std::span<const Part> parts, std::span<const LossBatch> batches) const {
  const auto& rates = options_.task_rates;
  if (rates.empty()) return {};
  std::vector<std::int64_t> labels(rates.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const auto tasks = tasks_of(batches[part]);
    const auto& counts = parts[part].inputs.label_counts();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const auto task = static_cast<std::size_t>(tasks.at(i));
      require<ConfigError>(task < rates.size(), "training: a sequence of task {}; there are rates of {}", task, rates.size());
      labels[task] += counts[i];
    }
  }
  if (options_.ranks != nullptr) {
    std::vector<std::int64_t> all(labels.size() * static_cast<std::size_t>(options_.ranks->size()));
    options_.ranks->all_gather(std::as_bytes(std::span(labels)), std::as_writable_bytes(std::span(all)), "label counts of tasks");
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = 0;
      for (std::size_t at = i; at < all.size(); at += labels.size()) labels[i] += all[at];
    }
  }
  double present = 0;
  for (std::size_t task = 0; task < rates.size(); ++task) present += labels[task] > 0 ? rates[task] : 0;
  std::vector<double> weights(rates.size());
  for (std::size_t task = 0; task < rates.size(); ++task) {
    if (labels[task] > 0 && present > 0) weights[task] = rates[task] / present / static_cast<double>(labels[task]);
  }
  return weights;
}

std::vector<TrainingStep::Part> TrainingStep::parts_of(std::span<const LossBatch> batches) const {
  require<ConfigError>(options_.accumulate || batches.size() <= 1,
                       "training: a batch in {} parts was given; wanted one, for gradients are not accumulated", batches.size());
  std::vector<Part> parts;
  for (const auto& batch : batches) parts.push_back({model_->inputs(batch, conditioning_)});
  return parts;
}

TrainingStep::Share TrainingStep::share_of(std::span<const Part> parts) {
  Share share;
  for (const auto& part : parts) {
    const std::int64_t labels = part.inputs.labels();
    if (labels == 0) continue;
    share.labels += labels;
    share.rows += part.inputs.computed_rows();
  }
  return share;
}

void TrainingStep::weigh(std::vector<Part>& parts, std::span<const LossBatch> batches, std::int64_t labels) const {
  require<ConfigError>(labels > 0, "training: a batch without any label was given; wanted one at least");
  const std::vector<double> of_tasks = task_weights(parts, batches);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    LabelWeights& weights = parts[i].weights;
    if (of_tasks.empty()) {
      weights.all = options_.mean ? 1.0 / static_cast<double>(labels) : 1.0;
      continue;
    }
    weights.all = 0;
    for (const auto task : tasks_of(batches[i])) weights.of_sequences.push_back(of_tasks.at(static_cast<std::size_t>(task)));
  }
}

template <class Run>
void TrainingStep::run_parts(std::span<const Part> parts, std::int64_t step, std::size_t first_part, const Run& each) {
  bool first = true;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].inputs.labels() == 0) continue;
    parts[i].inputs.feed(session_, parts[i].weights);
    feed_dropout(step, first_part + i);
    if (options_.accumulate) session_.input<std::int32_t>(kFirstPart)[0] = first ? 1 : 0;
    first = false;
    each();
    if (options_.ranks != nullptr) options_.ranks->still_here();
  }
}

void TrainingStep::run_parts(std::span<const Part> parts, std::int64_t step, std::size_t first_part) {
  if (!options_.detect_anomaly) {
    run_parts(parts, step, first_part, [&] { session_.run(); });
    return;
  }
  run_parts(parts, step, first_part, [&] {
    const auto anomaly = session_.run_until_anomaly();
    require<Error>(!anomaly, "training: step {}: {}; nothing was updated", step + 1, anomaly ? anomaly->describe() : "");
  });
}

StepResult TrainingStep::differentiate(std::span<const LossBatch> batches, std::int64_t step) {
  std::vector<Part> parts = parts_of(batches);
  const Share share = share_of(parts);
  weigh(parts, batches, share.labels);
  run_parts(parts, step, 0);
  return {.loss = loss_of_parts(), .rows = share.rows, .label_tokens = share.labels};
}

double TrainingStep::loss_of_parts() const {
  return options_.accumulate ? session_.result<double>(loss_)[0] : static_cast<double>(session_.result<float>(loss_)[0]);
}

std::span<const float> TrainingStep::gradient(std::size_t i) const {
  const std::string name = "grad." + trainables_.at(i).name;
  if (!session_.program().graph().outputs().contains(name)) return {};
  return session_.result<float>(name);
}

void TrainingStep::optimize_with(Optimizer& optimizer) {
  std::vector<ParameterUpdate> parameters;
  sums_.clear();
  shared_results_.clear();
  // first what was captured with a communicator, then the communicator
  update_.reset();
  device_sum_.reset();
  if (options_.ranks != nullptr) device_sum_ = nccl_sum(program().backend(), *options_.ranks);
  const bool on_host = options_.ranks != nullptr && device_sum_ == nullptr;
  for (const auto& [name, value] : trainables_) {
    const std::string gradient = "grad." + name;
    Tensor source;
    if (program().graph().outputs().contains(gradient)) {
      source = on_host ? Tensor(Dtype::f32, value.dims()) : session_.shared_result(gradient).reshaped(value.dims());
      shared_results_.push_back(source);
    }
    parameters.push_back({name, value, source});
    if (on_host) sums_.push_back(source);
  }
  if (on_host) sum_of_losses_ = Tensor(Dtype::f64, {});
  const Tensor loss = on_host ? sum_of_losses_ : session_.shared_result(loss_);
  shared_results_.push_back(loss);
  update_ = std::make_unique<Update>(optimizer, parameters, loss, options_.max_grad_norm, program().backend());
  if (device_sum_) update_->set_prologue([this] { device_sum_->enqueue(shared_results_); });
}

std::vector<StepResult> TrainingStep::differentiate_slots(const LossBatch& batch, std::span<const std::int32_t> sizes) {
  require<ConfigError>(options_.weighs_slots, "training: slots of a batch were asked for; wanted a step that weighs them");
  const BatchInputs inputs = model_->inputs(batch, conditioning_);
  const auto& counts = inputs.label_counts();
  require<ShapeError>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) == std::ssize(counts),
                      "training: slots of [{}] sequences; the batch has {}", fmt::join(sizes, ", "), counts.size());
  std::vector<StepResult> results(sizes.size());
  LabelWeights weights{.all = 0};
  std::size_t sequence = 0;
  for (std::size_t slot = 0; slot < sizes.size(); ++slot) {
    const std::size_t end = sequence + static_cast<std::size_t>(sizes[slot]);
    for (std::size_t i = sequence; i < end; ++i) results[slot].label_tokens += counts[i];
    require<ConfigError>(sizes[slot] == 0 || results[slot].label_tokens > 0,
                         "training: a batch without any label was given to slot {}; wanted one at least", slot);
    for (; sequence < end; ++sequence)
      weights.of_sequences.push_back(options_.mean ? 1.0 / static_cast<double>(results[slot].label_tokens) : 1.0);
  }
  inputs.feed(session_, weights);
  session_.parts(sizes);
  session_.run();
  const auto nll = session_.result<float>(LossModel::kNll);
  std::size_t label = 0;
  sequence = 0;
  for (std::size_t slot = 0; slot < sizes.size(); ++slot) {
    const std::size_t end = sequence + static_cast<std::size_t>(sizes[slot]);
    results[slot].rows = inputs.computed_rows() * sizes[slot] / std::max<std::int64_t>(1, std::ssize(counts));
    for (; sequence < end; ++sequence) {
      for (std::int64_t i = 0; i < counts[sequence]; ++i)
        results[slot].loss += weights.of_sequences[sequence] * static_cast<double>(nll[label++]);
    }
  }
  return results;
}

std::unique_ptr<Update> TrainingStep::update_of(std::size_t i, Optimizer& optimizer, const Tensor& loss) {
  const auto& [name, value] = trainables_.at(i);
  const ParameterUpdate parameter{name, value, session_.shared_result("grad." + name).reshaped(value.dims())};
  return std::make_unique<Update>(optimizer, std::span(&parameter, 1), loss, options_.max_grad_norm, program().backend());
}

std::vector<TrainingStep::Share> TrainingStep::shares_of_ranks(const Share& mine) const {
  if (options_.ranks == nullptr) return {mine};
  std::vector<Share> shares(static_cast<std::size_t>(options_.ranks->size()));
  options_.ranks->all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(shares)), "label counts of a batch");
  return shares;
}

void TrainingStep::sum_over_ranks(const std::vector<Share>& shares) {
  Communicator& ranks = *options_.ranks;
  std::vector<bool> contributes;
  for (const auto& share : shares) contributes.push_back(share.labels > 0);
  // a rank without labels has run nothing: its program still holds the results of an older batch
  const bool has_run = contributes[static_cast<std::size_t>(ranks.rank())];
  if (device_sum_) {
    // the update's program begins with the sum itself
    device_sum_->begin(shared_results_, has_run);
    return;
  }
  std::vector<std::span<float>> values;
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    if (!sums_[i].defined()) continue;
    values.emplace_back(sums_[i].values<float>());
    if (has_run) std::ranges::copy(gradient(i), values.back().begin());
  }
  preamble::sum_over_ranks(ranks, values, contributes, "sum of gradients");
  sum_of_losses_.values<double>()[0] = preamble::sum_over_ranks(ranks, has_run ? loss_of_parts() : 0, contributes, "sum of losses");
  Residence& residence = program().backend().residence();
  for (const auto& sum : sums_) {
    if (sum.defined()) residence.upload(sum);
  }
  residence.upload(sum_of_losses_);
}

StepResult TrainingStep::update(std::span<const LossBatch> batches, double learning_rate, std::int64_t step, std::size_t first_part) {
  require<ConfigError>(update_ != nullptr, "training: an update was asked for before `optimize_with`; wanted an optimizer");
  std::vector<Part> parts = parts_of(batches);
  const auto shares = shares_of_ranks(share_of(parts));
  Share all;
  for (const auto& share : shares) all = {all.labels + share.labels, all.rows + share.rows};
  weigh(parts, batches, all.labels);
  run_parts(parts, step, first_part);
  if (options_.ranks != nullptr) sum_over_ranks(shares);
  update_->start(learning_rate);
  if (device_sum_) device_sum_->wait([this] { update_->drop_captured(); });
  const UpdateReport report = update_->finish();
  if (!report.applied) refuse(parts, step, first_part, report);
  return {.loss = report.loss, .gradient_norm = report.gradient_norm, .rows = all.rows, .label_tokens = all.labels};
}

void TrainingStep::refuse(std::span<const Part> parts, std::int64_t step, std::size_t first_part, const UpdateReport& report) {
  const std::string parameter = update_->first_bad_gradient();
  // nothing has changed: the same batch gives the same numbers again
  std::optional<Anomaly> anomaly;
  run_parts(parts, step, first_part, [&] {
    if (!anomaly) anomaly = session_.run_until_anomaly();
  });
  const std::string what = parameter.empty() ? fmt::format("the loss is {}", report.loss)
                                             : fmt::format("the loss is {}, the gradient of '{}' is not finite", report.loss, parameter);
  raise<Error>("training: step {}: {}; first: {}; nothing was updated; lower the learning rate or clip gradients", step + 1, what,
               anomaly                     ? anomaly->describe()
               : options_.ranks != nullptr ? "a value of another rank, or the sum over ranks"
                                           : "the sum of the parts");
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
