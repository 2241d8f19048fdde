// Host tensors that programs have written, or that a test writes between runs: what a residence has to be told.
#pragma once

#include "engine/backend/backend.h"
#include "engine/core/tensor.h"

namespace preamble::testing {

/// The tensor as programs of the default backend have left it.
inline Tensor downloaded(Tensor tensor) {
  default_backend().residence().download(tensor);
  return tensor;
}

/// Programs of the default backend see what the host has written.
inline void uploaded(const Tensor& tensor) { default_backend().residence().upload(tensor); }

/// Programs that are compiled meanwhile run on this backend.
class OnBackend {
 public:
  explicit OnBackend(const Backend& backend) : before_(default_backend()) { set_default_backend(backend); }
  OnBackend(const OnBackend&) = delete;
  OnBackend& operator=(const OnBackend&) = delete;
  ~OnBackend() { set_default_backend(before_); }

 private:
  const Backend& before_;
};

/// Suite of the cases that look at the memory of a value or count allocations: both are of the host alone, so that they say nothing of a
/// backend with memory of its own.
inline constexpr const char* kHostMemory = "host memory";

/// Suite of the gradient checks that run one kernel some hundred thousand times. They are most of the time of all tests, and the other
/// gradient checks show the same of a backend with memory of its own.
inline constexpr const char* kManyRuns = "many runs";

/// Suite of the cases that compile programs of large models and run none: nothing that a backend with memory of its own could change.
inline constexpr const char* kPlans = "plans";

}  // namespace preamble::testing
