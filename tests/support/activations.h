// The activation functions by their formulas, in double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/ops/activation.h"

namespace preamble::testing {

inline constexpr std::array kActivationKinds = {ActivationKind::relu, ActivationKind::gelu, ActivationKind::gelu_tanh,
                                                ActivationKind::silu, ActivationKind::tanh, ActivationKind::sigmoid};

[[nodiscard]] inline double activated(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::relu: return std::max(x, 0.0);
    case ActivationKind::gelu: return x * std::erfc(-x / std::numbers::sqrt2) / 2;
    // (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)), without its cancellation
    case ActivationKind::gelu_tanh: return x / (1 + std::exp(-2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case ActivationKind::silu: return x / (1 + std::exp(-x));
    case ActivationKind::tanh: return std::tanh(x);
    case ActivationKind::sigmoid: return 1 / (1 + std::exp(-x));
  }
  return 0;
}

}  // namespace preamble::testing
