// Ops on a GPU against the CPU in double.
#pragma once

#include <string>

#include "tests/support/gradient_check.h"

namespace preamble::testing {

struct ParityOptions {
  /// Largest ‖found - expected‖ / ‖expected‖ of a result or gradient. The loss that gradients are taken of is value · direction, whose
  /// terms may cancel: ‖value‖ ‖direction‖ stands for its size.
  double f32 = 1e-5;
  double bf16 = 2e-2;
  /// The size of values is taken for no smaller than this for each element: for sums of terms of this size, which may cancel.
  double term = 0;
  /// Also activations in float32 over frozen matrices in bf16.
  bool narrow_parameters = false;
  /// Also all differentiable operands trained.
  bool trained = true;
  /// Also results and gradients alone, with the smallest memory budget: kernels with outputs that nobody reads.
  bool smallest_budget = true;
};

/// Builds the case for GPU 0 with activations in float32 and in bf16, with all operands frozen and with all of them trained; checks results
/// and gradients, and that a second run and a second program give the same bits. In a case for bf16, operands with rows are cast, and
/// frozen operands without rows are stored in bf16.
void check_parity(const std::string& name, const GradientCase& test, const ParityOptions& options = {});

}  // namespace preamble::testing
