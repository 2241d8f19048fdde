// The update of trainable tensors, as a program of its own.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/session.h"

namespace preamble {

/// A tensor to update and the memory in which another program leaves its gradient: of equal type and dimensions. Without a gradient
/// (undefined) the tensor stays as it is.
struct ParameterUpdate {
  std::string name;
  Tensor value;
  Tensor gradient;
};

/// What an update brings to the host, in one read.
struct UpdateReport {
  double loss = 0;
  double gradient_norm = 0;  ///< √Σ g² over all gradients, before clipping
  /// Loss and gradients are finite, and the parameters were updated. Otherwise nothing has changed.
  bool applied = false;
};

/// A compiled update of one list of parameters: norm of all gradients, clipping, and the optimizer's rule. It reads the gradients where
/// the program that made them has left them, and updates parameters and states in place. Equal inputs give equal bits with any number of
/// threads.
class Update {
 public:
  /// `parameters`: those that `optimizer` was made for, in its order; one of them at least has a gradient (ConfigError). `loss`: a scalar,
  /// F32 or F64. `max_norm`: gradients are clipped to this norm; 0: they are not. `backend`: that of the program which makes the gradients.
  /// All tensors and the optimizer outlive the update.
  Update(Optimizer& optimizer, std::span<const ParameterUpdate> parameters, const Tensor& loss, double max_norm,
         const Backend& backend = default_backend());

  /// One update with this learning rate.
  UpdateReport run(double learning_rate) {
    start(learning_rate);
    return finish();
  }
  /// The two halves of `run`: a device may still be at work when the first returns, and the second waits for it.
  void start(double learning_rate);
  UpdateReport finish();

  /// Work on the device's queue that makes the gradients; see `Executor::set_prologue` and `Executor::drop_captured`.
  void set_prologue(std::function<void()> enqueue) { session_.set_prologue(std::move(enqueue)); }
  void drop_captured() { session_.drop_captured(); }

  /// The first parameter whose gradient was not finite in the last run; empty if there was none.
  [[nodiscard]] std::string first_bad_gradient() const;

  [[nodiscard]] const Program& program() const noexcept { return session_.program(); }

 private:
  Optimizer& optimizer_;
  /// Parameters that have a gradient.
  std::vector<ParameterUpdate> updated_;
  Session session_;
};

}  // namespace preamble
