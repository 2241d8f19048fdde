#include "models/heads/head.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/ops/linear.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<HeadKind, std::string_view>, 5> kTasks = {{{HeadKind::sequence, "SEQ_CLS"},
                                                                          {HeadKind::choice, "MULTIPLE_CHOICE"},
                                                                          {HeadKind::tokens, "TOKEN_CLS"},
                                                                          {HeadKind::span, "QUESTION_ANS"},
                                                                          {HeadKind::masked_lm, "MASKED_LM"}}};
constexpr std::array<std::string_view, 4> kPoolers = {"auto", "frozen", "trained", "none"};
constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kBias = ".bias";

/// Width of the logits of a kind whose classes are not the task's; 0: they are.
std::int64_t fixed_classes(HeadKind kind) noexcept { return kind == HeadKind::span ? 2 : kind == HeadKind::choice ? 1 : 0; }

std::string named(std::string_view layer, std::string_view part) { return fmt::format("{}{}", layer, part); }

bool scores_by_likelihood(const EncoderModel& model, HeadKind kind, Pooler pooler) {
  return kind == HeadKind::choice && pooler == Pooler::automatic && model.blanks() != nullptr;
}

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
  require<ConfigError>(found != kTasks.end(), "task: '{}' was given; wanted SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS or MASKED_LM",
                       task);
  return found->first;
}

std::string_view name_of(Pooler pooler) noexcept { return kPoolers[static_cast<std::size_t>(pooler)]; }

Pooler pooler_of(std::string_view name) {
  const auto found = std::ranges::find(kPoolers, name);
  require<ConfigError>(found != kPoolers.end(), "pooler: '{}' was given; wanted {}", name, fmt::join(kPoolers, ", "));
  return static_cast<Pooler>(found - kPoolers.begin());
}

std::vector<HeadLayer> head_layers(const EncoderModel& model, HeadKind kind, Pooler pooler) {
  require<ConfigError>(pooler == Pooler::automatic || reads_first_row(kind), "pooler: '{}' was given for {}; wanted auto: it has none",
                       name_of(pooler), name_of(kind));
  switch (kind) {
    case HeadKind::sequence:
      if (pooler == Pooler::automatic) return model.sequence_head();
      [[fallthrough]];
    case HeadKind::choice: {
      const HeadLayer classifier{.name = "classifier", .checkpoint = "classifier"};
      if (pooler == Pooler::none) return {classifier};
      HeadLayer first = model.pooler();
      if (pooler != Pooler::automatic) first.in_backbone = pooler == Pooler::frozen;
      return {first, classifier};
    }
    case HeadKind::tokens: return {model.token_head()};
    case HeadKind::span: return {model.span_head()};
    case HeadKind::masked_lm: return {};
  }
  return {};
}

Head::Head(EncoderModel& model, HeadKind kind, const HeadTensors& given, std::string names, bool trained, Pooler pooler)
    : Head(kind, std::move(names), trained, pooler) {
  by_likelihood_ = scores_by_likelihood(model, kind, pooler);
  if (by_likelihood_) {
    classes_ = 1;
    return;
  }
  layers_ = head_layers(model, kind, pooler);
  const std::int64_t fixed = fixed_classes(kind);
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
      require<FileError>(layer.has_bias || bias == nullptr, "head: a bias of '{}' was given; wanted none", name);
      require<FileError>((weight == nullptr) == (bias == nullptr) || !layer.has_bias,
                         "head: a weight or a bias of '{}' was given alone; wanted both", name);
      if (weight == nullptr) continue;
      dims = weight->dims();
      own_.emplace(named(layer.name, kWeight), owned(*weight));
      if (!layer.has_bias) break;
      require<FileError>(dims.size() == 2 && bias->dims() == Dims{dims[0]}, "head: '{}' is {} with a bias {}; wanted [N, K] and [N]", name,
                         to_string(dims), to_string(bias->dims()));
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
    require<FileError>(fits && (!last || fixed == 0 || dims[0] == fixed), "head: '{}' is {}; wanted [{}, {}]", layer.name, to_string(dims),
                       !last       ? std::to_string(model.width())
                       : fixed > 0 ? std::to_string(fixed)
                                   : "classes",
                       model.width());
    if (last) classes_ = dims[0];
  }
}

Head Head::fresh(EncoderModel& model, HeadKind kind, std::int64_t classes, std::uint64_t seed, std::string names, Pooler pooler) {
  constexpr std::uint64_t kStream = 0x68656164;
  constexpr float kDeviation = 0.02F;
  const std::int64_t fixed = fixed_classes(kind);
  require<ConfigError>(classes > 0 || fixed > 0 || kind == HeadKind::masked_lm, "head: {} classes were given; wanted one at least",
                       classes);
  if (scores_by_likelihood(model, kind, pooler)) return {model, kind, {}, std::move(names), true, pooler};
  Random random(seed, kStream);
  HeadTensors tensors;
  const auto layers = head_layers(model, kind, pooler);
  const Parameters& parameters = model.parameters();
  for (const auto& layer : layers) {
    const bool last = &layer == &layers.back();
    const Dims dims = {!last ? model.width() : fixed > 0 ? fixed : classes, model.width()};
    const std::string checkpoint = named(layer.checkpoint, kWeight);
    const bool stored = parameters.contains(checkpoint);
    require<ConfigError>(stored || last || pooler != Pooler::frozen,
                         "pooler: frozen was given, and {} has no '{}'; wanted none, trained, or a checkpoint with a pooler",
                         parameters.where(checkpoint), checkpoint);
    if (stored && layer.in_backbone) continue;
    if (stored && parameters.dims(checkpoint) == dims) {
      tensors.emplace(named(layer.name, kWeight), model.parameters().tensor(checkpoint, dims, ParameterKind::vector).clone());
      if (!layer.has_bias) continue;
      tensors.emplace(named(layer.name, kBias),
                      model.parameters().tensor(named(layer.checkpoint, kBias), {dims[0]}, ParameterKind::vector).clone());
      continue;
    }
    Tensor weight(Dtype::f32, dims);
    for (auto& x : weight.values<float>()) x = kDeviation * random.normal();
    tensors.emplace(named(layer.name, kWeight), std::move(weight));
    if (layer.has_bias) tensors.emplace(named(layer.name, kBias), Tensor(Dtype::f32, {dims[0]}));
  }
  return {model, kind, tensors, std::move(names), true, pooler};
}

Head Head::restricted_to(std::vector<std::int32_t> words) const {
  require<ConfigError>(kind_ == HeadKind::masked_lm && words_.empty(), "head: words were given for {}; wanted a whole MASKED_LM",
                       name_of(kind_));
  const std::set<std::int32_t> different(words.begin(), words.end());
  require<ConfigError>(!words.empty() && different.size() == words.size() && *different.begin() >= 0 && *different.rbegin() < classes_,
                       "head: the words [{}] were given; wanted different ones below {}", fmt::join(words, ", "), classes_);
  Head head = *this;
  head.classes_ = static_cast<std::int64_t>(words.size());
  head.words_ = std::move(words);
  return head;
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
  if (is_language_model()) return model.mlm_logits(graph, hidden, words_);
  Value x = hidden;
  for (const auto& layer : layers_) {
    const bool last = &layer == &layers_.back();
    const std::int64_t out = last ? classes_ : model.width();
    if (layer.dropped) x = dropped(graph, x, dropout);
    const Value weight = parameter(graph, model, layer, kWeight, {out, model.width()});
    x = linear(x, weight, layer.has_bias ? parameter(graph, model, layer, kBias, {out}) : Value{});
    if (layer.activation) x = activation(x, *layer.activation);
  }
  return x;
}

std::vector<std::pair<std::string, Tensor>> Head::trainables() const {
  std::vector<std::pair<std::string, Tensor>> result;
  if (!trained_) return result;
  for (const auto& [name, tensor] : own_) result.emplace_back(names_ + name, tensor);
  return result;
}

}  // namespace preamble
