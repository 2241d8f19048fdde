// The activation functions by their formulas, in double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/ops/activation.h"

namespace preamble::testing {

inline constexpr std::array kActivationKinds = {ActivationKind::relu,       ActivationKind::gelu,         ActivationKind::gelu_tanh,
                                                ActivationKind::silu,       ActivationKind::tanh,         ActivationKind::sigmoid,
                                                ActivationKind::quick_gelu, ActivationKind::clipped_gelu, ActivationKind::mish};

[[nodiscard]] inline double activated(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::relu: return std::max(x, 0.0);
    case ActivationKind::gelu: return x * std::erfc(-x / std::numbers::sqrt2) / 2;
    // (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)), without its cancellation
    case ActivationKind::gelu_tanh: return x / (1 + std::exp(-2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case ActivationKind::silu: return x / (1 + std::exp(-x));
    case ActivationKind::tanh: return std::tanh(x);
    case ActivationKind::sigmoid: return 1 / (1 + std::exp(-x));
    case ActivationKind::quick_gelu: return x / (1 + std::exp(-1.702 * x));
    case ActivationKind::clipped_gelu: return std::min(activated(ActivationKind::gelu, x), 10.0);
    // ln(1 + eˣ), without the overflow of eˣ
    case ActivationKind::mish: return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
  }
  return 0;
}

}  // namespace preamble::testing
