#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/parallel.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/state.h"

namespace preamble {
namespace {

constexpr std::int64_t kBlock = 1 << 14;

/// Σ f(i) over [0, count) in double, in fixed blocks.
template <class F>
double block_sum(std::int64_t count, const F& f) {
  std::vector<double> partial(static_cast<std::size_t>((count + kBlock - 1) / kBlock));
  parallel_for(count, kBlock, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += f(i);
    partial[static_cast<std::size_t>(begin / kBlock)] = sum;
  });
  double total = 0;
  for (const double sum : partial) total += sum;
  return total;
}

class Adafactor final : public Optimizer {
 public:
  Adafactor(std::vector<Dims> shapes, const AdafactorOptions& given) : options_(given), shapes_(std::move(shapes)) {
    std::vector<Dims> rows;
    std::vector<Dims> columns;
    std::vector<Dims> full;
    for (const auto& dims : shapes_) {
      const bool split = factored(dims);
      rows.push_back({split ? dims[0] : 0});
      columns.push_back({split ? dims[1] : 0});
      full.push_back(split ? Dims{0} : dims);
    }
    rows_ = zeros(rows);
    columns_ = zeros(columns);
    full_ = zeros(full);
  }

  void step(std::span<const ParameterUpdate> parameters, double learning_rate, double gradient_scale) override {
    const double t = static_cast<double>(steps_ + options_.step_offset);
    const double decay = 1 - std::pow(t + 1, -options_.decay_rate);
    ++steps_;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto gradient = parameters[i].gradient;
      if (gradient.empty()) continue;
      const auto scale = static_cast<float>(gradient_scale);
      if (factored(shapes_[i])) {
        update_factors(i, gradient, scale, decay);
        const float* r = std::as_const(rows_[i]).values<float>().data();
        const float* c = std::as_const(columns_[i]).values<float>().data();
        const std::int64_t width = shapes_[i][1];
        const double mean = block_sum(shapes_[i][0], [&](std::int64_t row) { return r[row]; }) / static_cast<double>(shapes_[i][0]);
        const auto inverse = static_cast<float>(1 / mean);
        apply(parameters[i], scale, learning_rate, [=](std::int64_t j) { return 1 / std::sqrt(r[j / width] * inverse * c[j % width]); });
      } else {
        float* v = full_[i].values<float>().data();
        const auto keep = static_cast<float>(decay), add = static_cast<float>(1 - decay), epsilon = static_cast<float>(options_.epsilon);
        parallel_for(static_cast<std::int64_t>(gradient.size()), kBlock, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t j = begin; j < end; ++j) {
            const float g = gradient[static_cast<std::size_t>(j)] * scale;
            v[j] = keep * v[j] + add * (g * g + epsilon);
          }
        });
        apply(parameters[i], scale, learning_rate, [=](std::int64_t j) { return 1 / std::sqrt(v[j]); });
      }
    }
  }

  [[nodiscard]] std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state;
    save_state(state, "adafactor.rows", rows_);
    save_state(state, "adafactor.columns", columns_);
    save_state(state, "adafactor.full", full_);
    return state;
  }

  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps) override {
    load_state(state, "adafactor.rows", rows_);
    load_state(state, "adafactor.columns", columns_);
    load_state(state, "adafactor.full", full_);
    steps_ = steps;
  }

 private:
  [[nodiscard]] bool factored(const Dims& dims) const {
    return dims.size() == 2 && dims[0] >= options_.factored_from && dims[1] >= options_.factored_from;
  }

  /// Decayed means of g² + epsilon over each row and each column.
  void update_factors(std::size_t i, std::span<const float> gradient, float scale, double decay) {
    const std::int64_t height = shapes_[i][0];
    const std::int64_t width = shapes_[i][1];
    const auto square = [&](std::int64_t row, std::int64_t column) {
      const float g = gradient[static_cast<std::size_t>(row * width + column)] * scale;
      return static_cast<double>(g) * g + options_.epsilon;
    };
    const auto mix = [&](float old, double mean) { return static_cast<float>(decay * old + (1 - decay) * mean); };
    auto rows = rows_[i].values<float>();
    auto columns = columns_[i].values<float>();
    parallel_for(height, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        double sum = 0;
        for (std::int64_t column = 0; column < width; ++column) sum += square(row, column);
        auto& mean = rows[static_cast<std::size_t>(row)];
        mean = mix(mean, sum / static_cast<double>(width));
      }
    });
    parallel_for(width, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t column = begin; column < end; ++column) {
        double sum = 0;
        for (std::int64_t row = 0; row < height; ++row) sum += square(row, column);
        auto& mean = columns[static_cast<std::size_t>(column)];
        mean = mix(mean, sum / static_cast<double>(height));
      }
    });
  }

  /// p = (1 - wd)·p - lr·y / max(1, RMS(y) / clip),  y = g · inverse_root
  template <class InverseRoot>
  void apply(const ParameterUpdate& parameter, float scale, double learning_rate, const InverseRoot& inverse_root) const {
    const float* gradient = parameter.gradient.data();
    Tensor value = parameter.value;
    float* p = value.values<float>().data();
    const std::int64_t count = value.count();
    const double squares = block_sum(count, [&](std::int64_t j) {
      const float y = gradient[j] * scale * inverse_root(j);
      return static_cast<double>(y) * y;
    });
    const double rms = std::sqrt(squares / static_cast<double>(count));
    const auto rate = static_cast<float>(learning_rate / std::max(1.0, rms / options_.clip_threshold));
    const auto keep = static_cast<float>(1 - options_.weight_decay);
    parallel_for(count, kBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) p[j] = keep * p[j] - rate * (gradient[j] * scale * inverse_root(j));
    });
  }

  AdafactorOptions options_;
  std::vector<Dims> shapes_;
  std::vector<Tensor> rows_;
  std::vector<Tensor> columns_;
  std::vector<Tensor> full_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(std::vector<Dims> shapes, const AdafactorOptions& options) {
  return std::make_unique<Adafactor>(std::move(shapes), options);
}

}  // namespace preamble
