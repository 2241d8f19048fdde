#include "models/heads/head.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/ops/linear.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<HeadKind, std::string_view>, 4> kTasks = {{{HeadKind::sequence, "SEQ_CLS"},
                                                                          {HeadKind::tokens, "TOKEN_CLS"},
                                                                          {HeadKind::span, "QUESTION_ANS"},
                                                                          {HeadKind::masked_lm, "MASKED_LM"}}};
constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kBias = ".bias";
constexpr std::int64_t kSpanLogits = 2;

std::string named(std::string_view layer, std::string_view part) { return fmt::format("{}{}", layer, part); }

/// An owned tensor that may be written.
Tensor owned(const Tensor& tensor) {
  const Tensor real = tensor.dtype() == Dtype::f64 ? tensor : tensor.to(Dtype::f32);
  return real.writable() ? real : real.clone();
}

const Tensor* find(const HeadTensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

}  // namespace

std::string_view name_of(HeadKind kind) noexcept { return kTasks[static_cast<std::size_t>(kind)].second; }

HeadKind head_kind_of(std::string_view task) {
  const auto found = std::ranges::find(kTasks, task, &std::pair<HeadKind, std::string_view>::second);
  require<ConfigError>(found != kTasks.end(), "task: '{}' was given; wanted SEQ_CLS, TOKEN_CLS, QUESTION_ANS or MASKED_LM", task);
  return found->first;
}

std::vector<HeadLayer> head_layers(const EncoderModel& model, HeadKind kind) {
  switch (kind) {
    case HeadKind::sequence: return model.sequence_head();
    case HeadKind::tokens: return {{.name = "classifier", .checkpoint = "classifier"}};
    case HeadKind::span: return {{.name = "qa_outputs", .checkpoint = "qa_outputs", .dropped = false}};
    case HeadKind::masked_lm: return {};
  }
  return {};
}

Head::Head(EncoderModel& model, HeadKind kind, const HeadTensors& given, std::string names, bool trained)
    : Head(kind, std::move(names), trained) {
  layers_ = head_layers(model, kind);
  classes_ = model.vocabulary();
  const Parameters& parameters = model.parameters();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const HeadLayer& layer = layers_[i];
    const std::string checkpoint = named(layer.checkpoint, kWeight);
    const bool last = i + 1 == layers_.size();
    Dims dims;
    for (const auto& name : {layer.name, layer.checkpoint}) {
      const Tensor* weight = find(given, named(name, kWeight));
      const Tensor* bias = find(given, named(name, kBias));
      require<FileError>((weight == nullptr) == (bias == nullptr), "head: a weight or a bias of '{}' was given alone; wanted both", name);
      if (weight == nullptr) continue;
      dims = weight->dims();
      require<FileError>(dims.size() == 2 && bias->dims() == Dims{dims[0]}, "head: '{}' is {} with a bias {}; wanted [N, K] and [N]", name,
                         to_string(dims), to_string(bias->dims()));
      own_.emplace(named(layer.name, kWeight), owned(*weight));
      own_.emplace(named(layer.name, kBias), owned(*bias));
      break;
    }
    if (dims.empty()) {
      require<FileError>(parameters.contains(checkpoint), "{}: neither the checkpoint nor an adapter has the head '{}' of {}",
                         parameters.where(checkpoint), layer.checkpoint, name_of(kind));
      // those of the other maps are checked where they are declared
      dims = last ? parameters.dims(checkpoint) : Dims{model.width(), model.width()};
    }
    const bool fits = dims.size() == 2 && dims[1] == model.width() && (last ? dims[0] > 0 : dims[0] == model.width());
    require<FileError>(fits && (!last || kind != HeadKind::span || dims[0] == kSpanLogits), "head: '{}' is {}; wanted [{}, {}]", layer.name,
                       to_string(dims),
                       kind == HeadKind::span ? "2"
                       : last                 ? "classes"
                                              : std::to_string(model.width()),
                       model.width());
    if (last) classes_ = dims[0];
  }
}

Head Head::fresh(EncoderModel& model, HeadKind kind, std::int64_t classes, std::uint64_t seed, std::string names) {
  constexpr std::uint64_t kStream = 0x68656164;
  constexpr float kDeviation = 0.02F;
  require<ConfigError>(classes > 0 || kind == HeadKind::span || kind == HeadKind::masked_lm,
                       "head: {} classes were given; wanted one at least", classes);
  Random random(seed, kStream);
  HeadTensors tensors;
  const auto layers = head_layers(model, kind);
  const Parameters& parameters = model.parameters();
  for (const auto& layer : layers) {
    const bool last = &layer == &layers.back();
    const Dims dims = {last ? (kind == HeadKind::span ? kSpanLogits : classes) : model.width(), model.width()};
    const std::string checkpoint = named(layer.checkpoint, kWeight);
    const bool stored = parameters.contains(checkpoint);
    if (stored && layer.in_backbone) continue;
    if (stored && parameters.dims(checkpoint) == dims) {
      tensors.emplace(named(layer.name, kWeight), model.parameters().tensor(checkpoint, dims, ParameterKind::vector).clone());
      tensors.emplace(named(layer.name, kBias),
                      model.parameters().tensor(named(layer.checkpoint, kBias), {dims[0]}, ParameterKind::vector).clone());
      continue;
    }
    Tensor weight(Dtype::f32, dims);
    for (auto& x : weight.values<float>()) x = kDeviation * random.normal();
    tensors.emplace(named(layer.name, kWeight), std::move(weight));
    tensors.emplace(named(layer.name, kBias), Tensor(Dtype::f32, {dims[0]}));
  }
  return {model, kind, tensors, std::move(names)};
}

Value Head::parameter(Graph& graph, EncoderModel& model, const HeadLayer& layer, std::string_view part, const Dims& dims) const {
  const std::string name = named(layer.name, part);
  const Tensor* tensor = find(own_, name);
  if (tensor == nullptr) {
    return model.parameters()(graph, named(layer.checkpoint, part), dims, dims.size() == 2 ? ParameterKind::matrix : ParameterKind::vector);
  }
  const std::string leaf = names_ + name;
  if (const Value declared = graph.leaf(leaf)) return declared;
  return trained_ ? graph.trainable(leaf, *tensor) : graph.frozen(leaf, *tensor);
}

Value Head::logits(Graph& graph, EncoderModel& model, Value hidden, double dropout) const {
  if (kind_ == HeadKind::masked_lm) return model.mlm_head(graph, hidden);
  Value x = hidden;
  for (const auto& layer : layers_) {
    const bool last = &layer == &layers_.back();
    const std::int64_t out = last ? classes_ : model.width();
    if (layer.dropped) x = dropped(graph, x, dropout);
    const Value weight = parameter(graph, model, layer, kWeight, {out, model.width()});
    x = linear(x, weight, parameter(graph, model, layer, kBias, {out}));
    if (layer.activation) x = activation(x, *layer.activation);
  }
  return x;
}

HeadTensors Head::checkpoint_tensors() const {
  HeadTensors tensors;
  for (const auto& layer : layers_) {
    for (const auto part : {kWeight, kBias}) {
      if (const Tensor* tensor = find(own_, named(layer.name, part))) tensors.emplace(named(layer.checkpoint, part), *tensor);
    }
  }
  return tensors;
}

std::vector<std::pair<std::string, Tensor>> Head::trainables() const {
  std::vector<std::pair<std::string, Tensor>> result;
  if (!trained_) return result;
  for (const auto& [name, tensor] : own_) result.emplace_back(names_ + name, tensor);
  return result;
}

}  // namespace preamble
