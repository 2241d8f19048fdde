// What the element-wise ops share: checks of operands, counts for cost estimates.
#pragma once

#include <string_view>

#include "engine/graph/op.h"

namespace preamble {

/// Fails in the name of `op` unless the operand, with or without a row space, is of the graph's real type.
void require_real(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand);

/// Fails in the name of `op` unless the operand is of a type that a frozen matrix may be stored in: the graph's real type, BF16, F16 or a
/// quantised type. Kernels read it as a `StoredMatrix`.
void require_stored(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand);

/// Fails in the name of `op` unless the operand is a single number of the graph's real type.
void require_scalar(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand);

/// Fails in the name of `op` unless the operand is a scalar as above, or one such number for each row of `rows`.
void require_weight(const Op& op, const OperandTypes& operands, std::size_t index, RowSpaceId rows);

/// Fails in the name of `op` unless the operand holds one i32 for each row of a row space.
void require_indices(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand);

/// Fails in the name of `op` unless the operand has no row space, these dimensions and the graph's real type.
void require_parameter(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, const Dims& dims);

/// Fails in the name of `op` unless the operand is rows of numbers, or [N, D] without a row space, of the graph's real type.
void require_matrix(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand);

/// Fails in the name of a loss if a gradient is asked for an operand from `first` on, or arrives at an output other than 0.
void require_gradient_of_loss(const Op& op, const GradientRequest& request, std::size_t first, std::string_view operands);

/// Operations for each logit of a softmax, an exponential counting as 16.
inline constexpr double kSoftmaxFlops = 20;

/// Elements of a value at capacity.
[[nodiscard]] double elements(const Graph& graph, const Type& type);

}  // namespace preamble
