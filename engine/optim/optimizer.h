// Updating trainable tensors from their gradients.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/tensor.h"

namespace preamble {

/// A tensor to update and this step's gradient of it: F32, `value.count()` elements. No gradient: the tensor stays.
struct ParameterUpdate {
  Tensor value;
  std::span<const float> gradient;
};

/// Order and number of the parameters are those of the construction. Elements are updated independently of the number of
/// threads, so equal inputs give equal bits.
class Optimizer {
 public:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// One update with this learning rate; gradients are multiplied by `gradient_scale` first (clipping).
  virtual void step(std::span<const ParameterUpdate> parameters, double learning_rate, double gradient_scale) = 0;

  /// Everything beside the number of steps that the next update depends on, by a name that is stable across versions. Empty
  /// until the first step for state that is made then. `restore` throws FileError if tensors are missing or misshaped.
  [[nodiscard]] virtual std::map<std::string, Tensor> state() const = 0;
  virtual void restore(const std::map<std::string, Tensor>& state, std::int64_t steps) = 0;

  /// Bytes of state tensors.
  [[nodiscard]] std::int64_t state_bytes() const;
  /// Updates made so far.
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }

 protected:
  std::int64_t steps_ = 0;
};

/// torch.optim.AdamW (Loshchilov & Hutter 2019): p *= 1 - lr·wd; m, v with bias correction; p -= lr·m̂ / (√v̂ + epsilon).
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// Adafactor as t5x runs it for prompt tuning (Shazeer & Stern 2018; Lester et al. 2021): no momentum, no parameter
/// scaling. At global step t the decay is d = 1 - (t + 1)^-decay_rate; v = d·v + (1 - d)(g² + epsilon), factored into row and
/// column means where both dimensions are at least `factored_from`; y = g / √v, y /= max(1, RMS(y) / clip_threshold);
/// p = (1 - weight_decay)·p - lr·y: the decay is not multiplied by the learning rate.
struct AdafactorOptions {
  double decay_rate = 0.8;
  /// Global step of the first update: t5x resumes the backbone's count. With 0 the first d is 0.
  std::int64_t step_offset = 1'100'000;
  double clip_threshold = 1.0;
  double epsilon = 1e-30;
  double weight_decay = 0;
  std::int64_t factored_from = 128;
};

/// p -= lr·u,  u = momentum·u + g + weight_decay·p  (torch.optim.SGD)
struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;
};

/// `shapes`: dimensions of the parameters, in order.
[[nodiscard]] std::unique_ptr<Optimizer> make_adamw(std::vector<Dims> shapes, const AdamWOptions& options);
[[nodiscard]] std::unique_ptr<Optimizer> make_adafactor(std::vector<Dims> shapes, const AdafactorOptions& options);
[[nodiscard]] std::unique_ptr<Optimizer> make_sgd(std::vector<Dims> shapes, const SgdOptions& options);

/// √Σ g² over all gradients, in double, summed in fixed blocks.
[[nodiscard]] double gradient_norm(std::span<const ParameterUpdate> parameters);
/// min(1, limit / (norm + 1e-6)): torch's clip_grad_norm_. 1 if limit is 0.
[[nodiscard]] double clip_factor(double norm, double limit) noexcept;

}  // namespace preamble
