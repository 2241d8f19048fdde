#include "engine/optim/optimizer.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

class AdamWOptimizer final : public Optimizer {
 public:
  AdamWOptimizer(std::vector<Dims> shapes, const AdamWOptions& options) : Optimizer(std::move(shapes)), options_(options) {
    add_state("adamw.first", this->shapes());
    add_state("adamw.second", this->shapes());
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("adamw, beta1 {}, beta2 {}, epsilon {}, weight decay {}", options_.beta1, options_.beta2, options_.epsilon,
                       options_.weight_decay);
  }
  [[nodiscard]] std::shared_ptr<const UpdateOp> op(std::size_t parameters) const override {
    return std::make_shared<AdamW>(parameters, options_);
  }

 private:
  AdamWOptions options_;
};

class AdafactorOptimizer final : public Optimizer {
 public:
  AdafactorOptimizer(std::vector<Dims> shapes, const AdafactorOptions& options) : Optimizer(std::move(shapes)), options_(options) {
    const Adafactor op(1, options_);
    const auto dims_of = [&](std::size_t state) {
      std::vector<Dims> dims;
      for (const auto& shape : this->shapes()) dims.push_back(op.state_dims(shape, state));
      return dims;
    };
    add_state("adafactor.rows", dims_of(0));
    add_state("adafactor.columns", dims_of(1));
    add_state("adafactor.full", dims_of(2));
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("adafactor, decay rate {}, step offset {}, clip threshold {}, epsilon {}, weight decay {}, factored from {}{}",
                       options_.decay_rate, options_.step_offset, options_.clip_threshold, options_.epsilon, options_.weight_decay,
                       options_.factored_from, options_.scale_parameter ? ", parameter scaling" : "");
  }
  [[nodiscard]] std::shared_ptr<const UpdateOp> op(std::size_t parameters) const override {
    return std::make_shared<Adafactor>(parameters, options_);
  }

 private:
  AdafactorOptions options_;
};

class SgdOptimizer final : public Optimizer {
 public:
  SgdOptimizer(std::vector<Dims> shapes, const SgdOptions& options) : Optimizer(std::move(shapes)), options_(options) {
    if (options_.momentum != 0) add_state("sgd.momentum", this->shapes());
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("sgd, momentum {}, weight decay {}", options_.momentum, options_.weight_decay);
  }
  [[nodiscard]] std::shared_ptr<const UpdateOp> op(std::size_t parameters) const override {
    return std::make_shared<Sgd>(parameters, options_);
  }

 private:
  SgdOptions options_;
};

}  // namespace

void Optimizer::add_state(std::string_view name, const std::vector<Dims>& dims) {
  State& state = states_.emplace_back();
  state.name = name;
  for (const auto& d : dims) state.tensors.emplace_back(Dtype::f32, d);
}

std::vector<Tensor> Optimizer::states(std::size_t parameter) const {
  std::vector<Tensor> states;
  for (const auto& state : states_) states.push_back(state.tensors.at(parameter));
  return states;
}

std::vector<std::string> Optimizer::state_names(std::size_t parameter) const {
  std::vector<std::string> names;
  for (const auto& state : states_) names.push_back(fmt::format("{}.{}", state.name, parameter));
  return names;
}

std::map<std::string, Tensor> Optimizer::state() const {
  std::map<std::string, Tensor> all;
  for (const auto& state : states_) {
    for (std::size_t i = 0; i < state.tensors.size(); ++i) all[fmt::format("{}.{}", state.name, i)] = state.tensors[i];
  }
  return all;
}

void Optimizer::restore(const std::map<std::string, Tensor>& state, std::int64_t steps) {
  for (auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    require<FileError>(found != state.end(), "optimizer state: '{}' is missing", name);
    require<FileError>(found->second.dims() == tensor.dims() && found->second.dtype() == Dtype::f32,
                       "optimizer state: '{}' is {} {}; wanted F32 {}", name, name_of(found->second.dtype()),
                       to_string(found->second.dims()), to_string(tensor.dims()));
    Tensor target = tensor;
    if (tensor.bytes() != 0) std::memcpy(target.data(), found->second.data(), tensor.bytes());
  }
  steps_ = steps;
}

std::int64_t Optimizer::state_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& state : states_) {
    for (const auto& tensor : state.tensors) bytes += static_cast<std::int64_t>(tensor.bytes());
  }
  return bytes;
}

std::unique_ptr<Optimizer> make_adamw(std::vector<Dims> shapes, const AdamWOptions& options) {
  return std::make_unique<AdamWOptimizer>(std::move(shapes), options);
}

std::unique_ptr<Optimizer> make_adafactor(std::vector<Dims> shapes, const AdafactorOptions& options) {
  return std::make_unique<AdafactorOptimizer>(std::move(shapes), options);
}

std::unique_ptr<Optimizer> make_sgd(std::vector<Dims> shapes, const SgdOptions& options) {
  return std::make_unique<SgdOptimizer>(std::move(shapes), options);
}

}  // namespace preamble
