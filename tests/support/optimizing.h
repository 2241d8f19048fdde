// Optimizers against the formulas, and what all of them promise.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/optim/optimizer.h"
#include "tests/support/threads.h"

namespace preamble::testing {

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(std::vector<Dims>)>;

[[nodiscard]] inline std::vector<float> random_floats(std::int64_t count, std::uint64_t seed) {
  Random random(seed, 5);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& x : values) x = random.normal();
  return values;
}

/// Parameters of these shapes under steps [first, last) with random gradients that depend on the step alone. The learning
/// rate falls and the gradients are scaled, so that both matter.
class Training {
 public:
  Training(std::vector<Dims> shapes, const MakeOptimizer& make) : shapes_(std::move(shapes)), optimizer_(make(shapes_)) {
    for (std::size_t i = 0; i < shapes_.size(); ++i)
      parameters_.push_back(tensor_of(shapes_[i], random_floats(count_of(shapes_[i]), 100 + i)));
  }

  void run(std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first; step < last; ++step) {
      std::vector<std::vector<float>> gradients;
      std::vector<ParameterUpdate> updates;
      for (const auto& dims : shapes_)
        gradients.push_back(random_floats(count_of(dims), static_cast<std::uint64_t>(step) * 10 + gradients.size()));
      for (std::size_t i = 0; i < shapes_.size(); ++i) updates.push_back({parameters_[i], gradients[i]});
      optimizer_->step(updates, 0.1 / static_cast<double>(step + 1), 0.5);
    }
  }

  [[nodiscard]] Optimizer& optimizer() noexcept { return *optimizer_; }
  [[nodiscard]] std::vector<std::vector<float>> values() const {
    std::vector<std::vector<float>> all;
    for (const auto& parameter : parameters_) {
      const auto span = parameter.values<float>();
      all.emplace_back(span.begin(), span.end());
    }
    return all;
  }
  void set_values(const std::vector<std::vector<float>>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), parameters_[i].values<float>().begin());
  }

 private:
  std::vector<Dims> shapes_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Tensor> parameters_;
};

/// N steps are the same as k steps, a restart from the saved state, and N - k steps: to the bit.
inline void check_resume(const std::vector<Dims>& shapes, const MakeOptimizer& make) {
  Training straight(shapes, make);
  straight.run(0, 7);
  Training before(shapes, make);
  before.run(0, 3);
  std::map<std::string, Tensor> saved;
  for (const auto& [name, tensor] : before.optimizer().state()) saved[name] = tensor.clone();
  Training after(shapes, make);
  after.set_values(before.values());
  after.optimizer().restore(saved, before.optimizer().steps());
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

/// A parameter without a gradient stays as it is, weight decay or not.
inline void check_without_gradient(const MakeOptimizer& make) {
  const auto optimizer = make({{3}});
  const Tensor p = tensor_of({3}, std::vector{1.0F, 2.0F, 3.0F});
  const std::vector<ParameterUpdate> updates = {{p, {}}};
  optimizer->step(updates, 0.1, 1);
  CHECK(p.values<float>()[2] == 3.0F);
  CHECK(optimizer->steps() == 1);
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

/// One step on one parameter; its new values.
inline std::vector<float> step_once(Optimizer& optimizer, Tensor& p, const std::vector<float>& gradient, double learning_rate,
                                    double scale = 1) {
  const std::vector<ParameterUpdate> updates = {{p, gradient}};
  optimizer.step(updates, learning_rate, scale);
  const auto values = p.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace preamble::testing
