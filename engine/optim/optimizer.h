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
#include "engine/ops/adafactor.h"
#include "engine/ops/adamw.h"
#include "engine/ops/sgd.h"
#include "engine/ops/update.h"

namespace preamble {

/// The rule of an optimizer and what it keeps for each parameter between updates. Order and number of the parameters are those of the
/// construction. A program computes the update: see `Update`.
class Optimizer {
 public:
  explicit Optimizer(std::vector<Dims> shapes) : shapes_(std::move(shapes)) {}
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// `adamw, beta1 0.9, ...`: all that the next update depends on beside state, gradients and learning rate.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// Op that updates so many parameters.
  [[nodiscard]] virtual std::shared_ptr<const UpdateOp> op(std::size_t parameters) const = 0;

  [[nodiscard]] const std::vector<Dims>& shapes() const noexcept { return shapes_; }
  /// States of the i-th parameter, as the op takes them.
  [[nodiscard]] std::vector<Tensor> states(std::size_t parameter) const;
  /// Names of these states as leaves and in files, as `adamw.first.0`.
  [[nodiscard]] std::vector<std::string> state_names(std::size_t parameter) const;

  /// All states by name. Handles of the tensors that updates write.
  [[nodiscard]] std::map<std::string, Tensor> state() const;
  /// Copies saved states into those of this optimizer. Throws FileError if one is missing or has other dimensions.
  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps);

  /// Bytes of state tensors.
  [[nodiscard]] std::int64_t state_bytes() const;
  /// Updates made so far.
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }
  void count_step() noexcept { ++steps_; }

 protected:
  /// Adds a state of each parameter: `<name>.<parameter>`, zeros of these dimensions.
  void add_state(std::string_view name, const std::vector<Dims>& dims);

 private:
  struct State {
    std::string name;
    std::vector<Tensor> tensors;
  };

  std::vector<Dims> shapes_;
  std::vector<State> states_;
  std::int64_t steps_ = 0;
};

/// `shapes`: dimensions of the parameters, in order.
[[nodiscard]] std::unique_ptr<Optimizer> make_adamw(std::vector<Dims> shapes, const AdamWOptions& options);
[[nodiscard]] std::unique_ptr<Optimizer> make_adafactor(std::vector<Dims> shapes, const AdafactorOptions& options);
[[nodiscard]] std::unique_ptr<Optimizer> make_sgd(std::vector<Dims> shapes, const SgdOptions& options);

}  // namespace preamble
