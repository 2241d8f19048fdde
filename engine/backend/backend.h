// Where kernels come from.
#pragma once

#include <string_view>

#include "engine/graph/kernel.h"

namespace preamble {

/// Kernels of one device for the ops that have them.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  /// `cpu`
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Kernel of an op for activations of type `real`, or null.
  [[nodiscard]] virtual Kernel find(std::string_view op, Dtype real) const noexcept = 0;
  /// What the kernels were built for, as `x86-64-v4`.
  [[nodiscard]] virtual std::string_view instruction_set() const noexcept = 0;
};

/// The main processor: kernels for the best instruction set that it has.
[[nodiscard]] const Backend& cpu_backend();

/// As `find`, but a missing kernel throws UnsupportedError with op, backend and type.
[[nodiscard]] Kernel require_kernel(const Backend& backend, std::string_view op, Dtype real);

}  // namespace preamble
