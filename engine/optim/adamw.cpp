#include <cmath>
#include <utility>

#include "engine/core/parallel.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/state.h"

namespace preamble {
namespace {

constexpr std::int64_t kParameterBlock = 1 << 14;

class AdamW final : public Optimizer {
 public:
  AdamW(const std::vector<Dims>& shapes, const AdamWOptions& given) : options_(given), first_(zeros(shapes)), second_(zeros(shapes)) {}

  void step(std::span<const ParameterUpdate> parameters, double learning_rate, double gradient_scale) override {
    ++steps_;
    const double t = static_cast<double>(steps_);
    const auto step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t)));
    const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
    const auto keep = static_cast<float>(1 - learning_rate * options_.weight_decay);
    const auto b1 = static_cast<float>(options_.beta1), b2 = static_cast<float>(options_.beta2);
    const auto c1 = static_cast<float>(1 - options_.beta1), c2 = static_cast<float>(1 - options_.beta2);
    const auto epsilon = static_cast<float>(options_.epsilon), scale = static_cast<float>(gradient_scale);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].gradient.empty()) continue;
      Tensor value = parameters[i].value;
      float* p = value.values<float>().data();
      float* m = first_[i].values<float>().data();
      float* v = second_[i].values<float>().data();
      const float* gradient = parameters[i].gradient.data();
      parallel_for(value.count(), kParameterBlock, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t j = begin; j < end; ++j) {
          const float g = gradient[j] * scale;
          m[j] = b1 * m[j] + c1 * g;
          v[j] = b2 * v[j] + c2 * g * g;
          p[j] = p[j] * keep - step_size * m[j] / (std::sqrt(v[j]) * root + epsilon);
        }
      });
    }
  }

  [[nodiscard]] std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state;
    save_state(state, "adamw.first", first_);
    save_state(state, "adamw.second", second_);
    return state;
  }

  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps) override {
    load_state(state, "adamw.first", first_);
    load_state(state, "adamw.second", second_);
    steps_ = steps;
  }

 private:
  AdamWOptions options_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
};

class Sgd final : public Optimizer {
 public:
  Sgd(const std::vector<Dims>& shapes, const SgdOptions& given) : options_(given) {
    if (options_.momentum != 0) momentum_ = zeros(shapes);
  }

  void step(std::span<const ParameterUpdate> parameters, double learning_rate, double gradient_scale) override {
    ++steps_;
    const auto lr = static_cast<float>(learning_rate), scale = static_cast<float>(gradient_scale);
    const auto decay = static_cast<float>(options_.weight_decay), momentum = static_cast<float>(options_.momentum);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].gradient.empty()) continue;
      Tensor value = parameters[i].value;
      float* p = value.values<float>().data();
      float* u = momentum_.empty() ? nullptr : momentum_[i].values<float>().data();
      const float* gradient = parameters[i].gradient.data();
      parallel_for(value.count(), kParameterBlock, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j) {
          float update = gradient[j] * scale + decay * p[j];
          if (u != nullptr) update = u[j] = momentum * u[j] + update;
          p[j] -= lr * update;
        }
      });
    }
  }

  [[nodiscard]] std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state;
    save_state(state, "sgd.momentum", momentum_);
    return state;
  }

  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps) override {
    load_state(state, "sgd.momentum", momentum_);
    steps_ = steps;
  }

 private:
  SgdOptions options_;
  std::vector<Tensor> momentum_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(std::vector<Dims> shapes, const AdamWOptions& options) { return std::make_unique<AdamW>(shapes, options); }
std::unique_ptr<Optimizer> make_sgd(std::vector<Dims> shapes, const SgdOptions& options) { return std::make_unique<Sgd>(shapes, options); }

}  // namespace preamble
