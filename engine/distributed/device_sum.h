// Sums over ranks that stay on the devices.
#pragma once

#include <memory>
#include <span>

#include "engine/core/tensor.h"
#include "engine/distributed/communicator.h"

namespace preamble {

/// Adds up what the ranks' devices hold, in place. Equal on all ranks, and the same from run to run; the order of the sum is the library's.
class DeviceSum {
 public:
  DeviceSum() = default;
  DeviceSum(const DeviceSum&) = delete;
  DeviceSum& operator=(const DeviceSum&) = delete;
  virtual ~DeviceSum() = default;

  /// The device's copy of each tensor (F32 or F64; as many of the same sizes on every rank) becomes the sum over ranks. A rank that does not
  /// contribute counts as zeros. Returns when the sums are there. Throws DistributedError if they are not within the communicator's patience.
  virtual void run(std::span<const Tensor> tensors, bool contributes) = 0;
};

}  // namespace preamble
