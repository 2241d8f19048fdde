// What a program computes and keeps, by the part of the model that it belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/program.h"

namespace preamble {

/// Costs of one scope of a training program, at capacity.
struct ScopeCost {
  std::string scope;                       ///< as `encoder.block.3.self_attention`; empty for nodes outside every scope
  std::vector<std::string> forward_rows;   ///< row spaces of what the forward pass computes, in the order of their first use
  std::vector<std::string> backward_rows;  ///< the same for the backward pass; empty: no backward runs here
  double forward_flops = 0;
  double backward_flops = 0;
  double recomputed_flops = 0;
  /// Results of this scope that are in memory when the loss is known and that a later step reads.
  std::int64_t kept_bytes = 0;
  /// Gradients of trained tensors that are computed here.
  std::int64_t gradient_bytes = 0;
  std::int64_t backward_steps = 0;

  [[nodiscard]] bool has_backward() const noexcept { return backward_steps > 0; }
};

/// One entry for every scope in the order of the steps. `loss` is the result that ends the forward pass. Throws ConfigError
/// if the program has no such result.
[[nodiscard]] std::vector<ScopeCost> cost_by_scope(const Program& program, std::string_view loss);

/// What is alive between the forward and the backward pass: values that are kept for it, and the inputs of the batch. `loss` as above.
[[nodiscard]] std::int64_t saved_bytes(const Program& program, std::string_view loss);

/// Bytes of all results `grad.<leaf>`.
[[nodiscard]] std::int64_t gradient_bytes(const Program& program);

}  // namespace preamble
