// Products of bf16 matrices by oneDNN, where this build has found it.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/core/dtype.h"

namespace preamble::bench {

/// y [rows, n] = x [rows, k] Wᵀ for W [n, k] (`out_in`) or x W for W [k, n], bf16 with sums in float32.
class OneDnnProduct {
 public:
  /// `packed`: the weights are reordered here, once, to the form that oneDNN likes best; false: they are read as they lie. All memory outlives it.
  OneDnnProduct(std::int64_t rows, std::int64_t k, std::int64_t n, bool out_in, const BFloat16* x, const BFloat16* w, BFloat16* y, bool packed);
  OneDnnProduct(const OneDnnProduct&) = delete;
  OneDnnProduct& operator=(const OneDnnProduct&) = delete;
  ~OneDnnProduct();

  void run();

  /// Does this build have oneDNN, and oneDNN such products on this machine? Otherwise the constructor throws.
  [[nodiscard]] static bool available() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace preamble::bench
