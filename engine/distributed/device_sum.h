// Sums over ranks that stay on the devices.
#pragma once

#include <functional>
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

  /// A sum begins: the device's copy of each tensor (F32 or F64; as many of the same sizes on every rank) holds what this rank adds, or
  /// becomes zeros if it adds nothing. From here on the patience of the communicator runs.
  virtual void begin(std::span<const Tensor> tensors, bool contributes) = 0;
  /// Puts the sums of all ranks, in place, on the queue of the backend's programs, behind what is there. Their launches may be captured.
  virtual void enqueue(std::span<const Tensor> tensors) = 0;
  /// Returns when all that is on the queue is done. If that takes longer than the communicator's patience, `give_up` is called (it must drop
  /// captured launches of the sum, which NCCL would wait for), what waits on the device is ended, and DistributedError is thrown.
  virtual void wait(const std::function<void()>& give_up) = 0;
};

}  // namespace preamble
