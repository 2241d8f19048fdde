// Running a program on one device.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "engine/core/error.h"
#include "engine/core/rows.h"
#include "engine/core/tensor.h"
#include "engine/runtime/location.h"

namespace preamble {

/// Owns what a program needs on its device: the arena, copies of the row layouts, the queue of work. One thread at a time. The program and
/// its backend outlive it.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  /// Memory that the host fills for an input leaf before each run, for as many rows as the input can have. On the CPU it is the
  /// input's own memory in the arena; elsewhere it is staging memory, which `run` uploads.
  [[nodiscard]] virtual void* staging(const Location& input) = 0;

  /// The layout of every row space, in their order, for the next runs. The arrays that they point at must live as long.
  virtual void set_layouts(std::span<const RowLayout> layouts) = 0;

  /// Segments at which the parts of the batch begin, and their number, for the next runs; empty: one part. A device may ignore it; see
  /// `Session::parts`. The array must live as long.
  virtual void set_parts(std::span<const std::int32_t> /*parts*/) {}

  /// Work that every later run puts on the device's queue before its steps. A device that captures its runs captures the work with them, and
  /// then calls this no more. Throws ConfigError on a device without a queue (the CPU).
  virtual void set_prologue(std::function<void()> /*enqueue*/) {
    raise<ConfigError>("executor: work before the steps was given; wanted a device with a queue");
  }
  /// Forgets what was captured of earlier runs, without waiting for a run that is at work.
  virtual void drop_captured() {}

  /// Runs all steps. A device may still be at work when the call returns. Allocates nothing.
  virtual void run() = 0;

  /// Runs one step, after those before it; with the first one inputs are uploaded. For looking at what each step makes.
  virtual void run_step(std::size_t step) = 0;

  /// The memory of a result, with its row axis at capacity, as a tensor that programs of the same backend take as a frozen leaf. On the CPU
  /// it is the value itself; elsewhere the tensor stands for the value, and the residence knows where it lies: the host must not read it.
  [[nodiscard]] virtual Tensor share(const Location& value) = 0;

  /// The first `bytes` of a value as host memory, after everything that was asked for has run; valid until the next run. On the CPU it is
  /// the value itself; elsewhere a copy.
  [[nodiscard]] virtual const void* fetch(const Location& value, std::size_t bytes) = 0;
};

}  // namespace preamble
