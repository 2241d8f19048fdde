#include "engine/ops/adafactor.h"

#include "engine/backend/cpu/update.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// x^-½, and 0 for 0: nothing has been seen there, and nothing is to be moved.
template <class T>
T inverse_root(T x) noexcept {
  return x > 0 ? 1 / std::sqrt(x) : 0;
}

/// A parameter and what an update of it reads.
template <class T>
class Parameter {
 public:
  Parameter(std::span<const View> in, const AdafactorOptions& options, T scale, double decay)
      : options_(options),
        value_(in[0].as<T>()),
        gradient_(in[1].as<const T>()),
        rows_(in[2].as<T>()),
        columns_(in[3].as<T>()),
        full_(in[4].as<T>()),
        count_(in[0].count()),
        factored_(options.factored(*in[0].dims)),
        height_(factored_ ? (*in[0].dims)[0] : 0),
        width_(factored_ ? (*in[0].dims)[1] : 0),
        scale_(scale),
        decay_(decay) {}

  void update(double learning_rate) const {
    if (!factored_) {
      update_full();
      apply(learning_rate, count_, 1,
            [this](std::int64_t j) { return [y = gradient_[j] * scale_ * inverse_root(full_[j])](std::int64_t) { return y; }; });
      return;
    }
    update_factors();
    const auto row_state = [this](std::int64_t row) { return static_cast<double>(rows_[row]); };
    const double mean = block_sum(height_, kUpdateBlock, row_state) / static_cast<double>(height_);
    apply(learning_rate, height_, width_, [&](std::int64_t row) {
      // in double: beside large rows the quotient may be below the smallest float, and its root above the largest
      const double row_root = inverse_root(static_cast<double>(rows_[row]) / mean);
      return [this, row_root, gradient = gradient_ + row * width_](std::int64_t column) {
        return static_cast<T>(static_cast<double>(gradient[column] * scale_) * row_root) * inverse_root(columns_[column]);
      };
    });
  }

 private:
  void update_full() const {
    const auto keep = static_cast<T>(decay_), add = static_cast<T>(1 - decay_), epsilon = static_cast<T>(options_.epsilon);
    parallel_for(count_, kUpdateBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        const T g = gradient_[j] * scale_;
        full_[j] = keep * full_[j] + add * (g * g + epsilon);
      }
    });
  }

  [[nodiscard]] double square(std::int64_t j) const {
    const T g = gradient_[j] * scale_;
    return static_cast<double>(g) * static_cast<double>(g) + options_.epsilon;
  }

  void mix(T& state, double mean) const { state = static_cast<T>(decay_ * static_cast<double>(state) + (1 - decay_) * mean); }

  /// Decayed means of g² + ε over each row and each column.
  void update_factors() const {
    parallel_for(height_, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        double sum = 0;
        for (std::int64_t column = 0; column < width_; ++column) sum += square(row * width_ + column);
        mix(rows_[row], sum / static_cast<double>(width_));
      }
    });
    parallel_for(width_, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t column = begin; column < end; ++column) {
        double sum = 0;
        for (std::int64_t row = 0; row < height_; ++row) sum += square(row * width_ + column);
        mix(columns_[column], sum / static_cast<double>(height_));
      }
    });
  }

  /// max(10^-3, RMS(p))
  [[nodiscard]] double scale_of_value(std::int64_t height, std::int64_t width, std::int64_t grain) const {
    const double squares = block_sum(height, grain, [&](std::int64_t row) {
      const T* p = value_ + row * width;
      double sum = 0;
      for (std::int64_t column = 0; column < width; ++column) sum += static_cast<double>(p[column]) * static_cast<double>(p[column]);
      return sum;
    });
    return std::max(Adafactor::kSmallestScale, std::sqrt(squares / static_cast<double>(count_)));
  }

  /// p = (1 - w)·p - lr·y / max(1, RMS(y) / clip), where y_of(row)(column) is y.
  template <class Rows>
  void apply(double learning_rate, std::int64_t height, std::int64_t width, const Rows& y_of) const {
    const std::int64_t grain = std::max<std::int64_t>(1, kUpdateBlock / width);
    const double squares = block_sum(height, grain, [&](std::int64_t row) {
      const auto y = y_of(row);
      double sum = 0;
      for (std::int64_t column = 0; column < width; ++column) sum += static_cast<double>(y(column)) * static_cast<double>(y(column));
      return sum;
    });
    const double rms = std::sqrt(squares / static_cast<double>(count_));
    const double scaled = options_.scale_parameter ? learning_rate * scale_of_value(height, width, grain) : learning_rate;
    const auto rate = static_cast<T>(scaled / std::max(1.0, rms / options_.clip_threshold));
    const auto keep = static_cast<T>(1 - options_.weight_decay);
    parallel_for(height, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto y = y_of(row);
        T* p = value_ + row * width;
        for (std::int64_t column = 0; column < width; ++column) p[column] = keep * p[column] - rate * y(column);
      }
    });
  }

  const AdafactorOptions& options_;
  T* value_;
  const T* gradient_;
  T* rows_;
  T* columns_;
  T* full_;
  std::int64_t count_;
  bool factored_;
  std::int64_t height_, width_;
  T scale_;
  double decay_;
};

}  // namespace

template <class T>
void adafactor(const KernelArguments& args) {
  const UpdateArguments update(args);
  const T scale = scale_of<T>(args);
  if (!std::isfinite(scale)) return;
  const AdafactorOptions& options = static_cast<const Adafactor&>(args.op).options;
  const double decay = 1 - std::pow(static_cast<double>(update.step + options.step_offset) + 1, -options.decay_rate);
  for (std::size_t i = 0; i < update.op.parameters(); ++i) {
    const std::span<const View> in = args.in.subspan(update.op.operand(i));
    if (in[0].count() > 0) Parameter<T>(in, options, scale, decay).update(update.learning_rate);
  }
}

template void adafactor<float>(const KernelArguments&);
template void adafactor<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
