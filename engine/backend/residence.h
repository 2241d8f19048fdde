// Host tensors on a device.
#pragma once

#include "engine/core/tensor.h"

namespace preamble {

/// The device's copies of host tensors, one for each block of host memory, shared by all programs of the process. A copy lives at least as
/// long as the host memory. On the CPU the copy is the tensor itself, and nothing is ever copied.
///
/// A program reads and writes the copy. Whoever writes to the host's tensor afterwards says so with `upload`; whoever reads it after a
/// program has written, first asks for `download`.
class Residence {
 public:
  Residence() = default;
  Residence(const Residence&) = delete;
  Residence& operator=(const Residence&) = delete;
  virtual ~Residence() = default;

  /// Device memory of the tensor, with its values if this is the first call. Throws DeviceError if it does not fit, with both sizes.
  [[nodiscard]] virtual void* hold(const Tensor& tensor) = 0;
  /// Copies the host's values to the device, if the device holds the tensor.
  virtual void upload(const Tensor& tensor) = 0;
  /// Copies the device's values to the host, if the device holds the tensor.
  virtual void download(Tensor& tensor) = 0;
};

}  // namespace preamble
