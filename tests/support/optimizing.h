// Optimizers against the formulas, and what all of them promise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/residence.h"
#include "tests/support/threads.h"

namespace preamble::testing {

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(std::vector<Dims>)>;

[[nodiscard]] inline std::vector<float> random_floats(std::int64_t count, std::uint64_t seed) {
  Random random(seed, 5);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& x : values) x = random.normal();
  return values;
}

/// Parameters of given values under an optimizer's op, with any factor of the gradients.
class Training {
 public:
  Training(std::vector<Tensor> parameters, const MakeOptimizer& make) : parameters_(std::move(parameters)) {
    std::vector<Dims> shapes;
    for (const auto& parameter : parameters_) shapes.push_back(parameter.dims());
    optimizer_ = make(shapes);
    Graph graph;
    const UpdateScalars scalars = {graph.input("scale", {Dtype::f32, kNoRows, {}}), graph.input("learning_rate", {Dtype::f64, kNoRows, {}}),
                                   graph.input("step", {Dtype::i64, kNoRows, {}})};
    std::vector<UpdateOperands> operands;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      gradients_.emplace_back(Dtype::f32, shapes[i]);
      UpdateOperands& operand = operands.emplace_back();
      operand.value = graph.state(fmt::format("value.{}", i), parameters_[i]);
      operand.gradient = graph.frozen(fmt::format("grad.{}", i), gradients_[i]);
      const auto names = optimizer_->state_names(i);
      const auto states = optimizer_->states(i);
      for (std::size_t s = 0; s < states.size(); ++s) operand.states.push_back(graph.state(names[s], states[s]));
    }
    append_update(optimizer_->op(shapes.size()), scalars, operands);
    session_ = std::make_unique<Session>(compile(std::move(graph)));
  }

  /// Random parameters of these shapes.
  Training(const std::vector<Dims>& shapes, const MakeOptimizer& make) : Training(random_parameters(shapes), make) {}

  void step(const std::vector<std::vector<float>>& gradients, double learning_rate, double scale = 1) {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      std::ranges::copy(gradients[i], gradients_[i].values<float>().begin());
      uploaded(gradients_[i]);
    }
    session_->input<float>("scale")[0] = static_cast<float>(scale);
    session_->input<double>("learning_rate")[0] = learning_rate;
    session_->input<std::int64_t>("step")[0] = optimizer_->steps();
    session_->run();
    optimizer_->count_step();
  }

  /// Steps [first, last) with random gradients that depend on the step alone. The learning rate falls and the gradients are scaled, so that
  /// both matter.
  void run(std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first; step < last; ++step) {
      std::vector<std::vector<float>> gradients;
      for (const auto& parameter : parameters_)
        gradients.push_back(random_floats(parameter.count(), static_cast<std::uint64_t>(step) * 10 + gradients.size()));
      this->step(gradients, 0.1 / static_cast<double>(step + 1), 0.5);
    }
  }

  [[nodiscard]] Optimizer& optimizer() noexcept { return *optimizer_; }
  /// Copies of the optimizer's state.
  [[nodiscard]] std::map<std::string, Tensor> state() const {
    std::map<std::string, Tensor> copies;
    for (const auto& [name, tensor] : optimizer_->state()) copies[name] = downloaded(tensor).clone();
    return copies;
  }
  [[nodiscard]] std::vector<std::vector<float>> values() const {
    std::vector<std::vector<float>> all;
    for (const auto& parameter : parameters_) {
      const Tensor now = downloaded(parameter);
      const auto span = now.values<float>();
      all.emplace_back(span.begin(), span.end());
    }
    return all;
  }
  void set_values(const std::vector<std::vector<float>>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::copy(all[i].begin(), all[i].end(), parameters_[i].values<float>().begin());
      uploaded(parameters_[i]);
    }
  }

 private:
  [[nodiscard]] static std::vector<Tensor> random_parameters(const std::vector<Dims>& shapes) {
    std::vector<Tensor> parameters;
    for (const auto& dims : shapes) parameters.push_back(tensor_of(dims, random_floats(count_of(dims), 100 + parameters.size())));
    return parameters;
  }

  std::vector<Tensor> parameters_;
  std::vector<Tensor> gradients_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Session> session_;
};

/// One parameter of given values.
[[nodiscard]] inline Training training_of(Dims dims, const std::vector<float>& start, const MakeOptimizer& make) {
  return {std::vector<Tensor>{tensor_of(std::move(dims), start)}, make};
}

/// One step on the first parameter; its new values.
inline std::vector<float> step_once(Training& training, const std::vector<float>& gradient, double learning_rate, double scale = 1) {
  training.step({gradient}, learning_rate, scale);
  return training.values()[0];
}

/// N steps are the same as k steps, a restart from the saved state, and N - k steps: to the bit.
inline void check_resume(const std::vector<Dims>& shapes, const MakeOptimizer& make) {
  Training straight(shapes, make);
  straight.run(0, 7);
  Training before(shapes, make);
  before.run(0, 3);
  const auto saved = before.state();
  Training after(shapes, make);
  after.set_values(before.values());
  after.optimizer().restore(saved, before.optimizer().steps());
  for (const auto& [name, tensor] : after.optimizer().state()) uploaded(tensor);
  before.run(3, 7);  // must not reach into what was restored
  after.run(3, 7);
  CHECK(after.values() == straight.values());
  CHECK(after.optimizer().steps() == 7);
}

/// Equal bits with any number of threads.
inline void check_threads(const std::vector<Dims>& shapes, const MakeOptimizer& make) {
  std::vector<std::vector<std::vector<float>>> results;
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    Training training(shapes, make);
    training.run(0, 3);
    results.push_back(training.values());
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

/// A factor that is not a number leaves parameters and states as they are, weight decay or not.
inline void check_refused(const MakeOptimizer& make) {
  Training training({{3}, {130, 140}}, make);
  training.run(0, 2);
  const auto before = training.values();
  const auto states = training.state();
  training.step({random_floats(3, 1), random_floats(130 * 140, 2)}, 0.1, std::numeric_limits<double>::quiet_NaN());
  CHECK(training.values() == before);
  for (const auto& [name, tensor] : training.state()) CHECK(std::memcmp(tensor.data(), states.at(name).data(), tensor.bytes()) == 0);
}

/// State that lacks a tensor, or holds one of another shape, is refused by name.
inline void check_restore_errors(const MakeOptimizer& make, const std::string& name) {
  const auto optimizer = make({{3}});
  auto state = optimizer->state();
  state[name] = Tensor(Dtype::f32, {4});
  const std::string misshaped = "optimizer state: '" + name + "' is F32 [4]; wanted F32 [3]";
  CHECK_THROWS_WITH_AS(optimizer->restore(state, 1), misshaped.c_str(), FileError);
  state[name] = Tensor(Dtype::f64, {3});
  CHECK_THROWS_AS(optimizer->restore(state, 1), FileError);
  state.erase(name);
  const std::string missing = "optimizer state: '" + name + "' is missing";
  CHECK_THROWS_WITH_AS(optimizer->restore(state, 1), missing.c_str(), FileError);
}

}  // namespace preamble::testing
