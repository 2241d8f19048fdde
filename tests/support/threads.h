// Running something with a given number of threads.
#pragma once

#include "engine/core/parallel.h"

namespace preamble::testing {

/// Limits the threads while it lives; afterwards they are as many as the machine has.
class Threads {
 public:
  explicit Threads(int count) { set_threads(count); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { set_threads(0); }
};

}  // namespace preamble::testing
