// How long the steps of programs take on the device. Included by .cu files alone.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/backend.h"
#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

/// Adds up the times of steps that are alike. Off until it is turned on.
class StepClock {
 public:
  StepClock() = default;
  StepClock(const StepClock&) = delete;
  StepClock& operator=(const StepClock&) = delete;
  ~StepClock();

  [[nodiscard]] bool on() const noexcept { return on_; }
  void turn(bool on) noexcept { on_ = on; }

  /// Stand around what a step launches.
  void begin(cudaStream_t stream);
  void end(cudaStream_t stream, std::string_view op, std::span<const View> in, std::span<const View> out);
  /// Waits for the steps since the last call and adds their times.
  void collect();

  /// What was collected, the longest first, and forgets it.
  [[nodiscard]] std::vector<StepTime> take();

 private:
  [[nodiscard]] cudaEvent_t next_event();

  struct Sum {
    std::int64_t runs = 0;
    double milliseconds = 0;
  };

  bool on_ = false;
  std::vector<cudaEvent_t> events_;  ///< two a step
  std::size_t used_ = 0;
  std::vector<std::string> steps_;
  std::map<std::string, Sum> sums_;
};

}  // namespace preamble::cuda
