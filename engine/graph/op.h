// An op: its shapes, its gradient as graph nodes, and what passes may know of it. Kernels are found by its name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"

namespace preamble {

/// Operand types of a node under construction; a null pointer for an absent operand.
struct OperandTypes {
  const Graph& graph;
  std::span<const Type* const> types;

  [[nodiscard]] std::size_t size() const noexcept { return types.size(); }
  [[nodiscard]] bool has(std::size_t i) const noexcept { return i < types.size() && types[i] != nullptr; }
  [[nodiscard]] const Type& operator[](std::size_t i) const noexcept { return *types[i]; }
};

/// What a gradient rule gets: the node, the gradients of its outputs (undefined where the loss does not read an output),
/// and which operands want one.
struct GradientRequest {
  Graph& graph;
  const Node& node;
  /// First output of the node; `output(i)` is the i-th.
  Value first;
  std::span<const Value> output_gradients;
  std::span<const bool> wanted;

  [[nodiscard]] Value input(std::size_t i) const { return node.inputs.at(i); }
  [[nodiscard]] Value output(std::int32_t i) const { return {first.graph, first.node, i}; }
};

/// `output` may be computed in place of `input`: same type, and the kernel reads an element before it writes it.
struct Alias {
  std::int32_t output;
  std::int32_t input;
  bool must = false;  ///< the op updates the operand (state): output and input are one memory, always
};

/// Sizes for cost estimates: a node with the rows of its operands at capacity, and which outputs are read.
struct NodeCost {
  const Graph& graph;
  const Node& node;
  std::span<const bool> used;  ///< per output

  [[nodiscard]] const Type& input(std::size_t i) const { return node.inputs.at(i).type(); }
  [[nodiscard]] const Type& output(std::size_t i) const { return node.outputs.at(i); }
  [[nodiscard]] std::int64_t rows(const Type& type) const { return graph.capacity(type); }
};

/// Which operands a result reads row by row, and what else of a row.
struct Alignment {
  /// What row r of output 0 is computed from, besides operands without rows.
  enum class Reads : std::uint8_t {
    row,            ///< row r of the aligned operands, nothing else
    row_and_place,  ///< the place of row r too: masks of dropout, what an attention sees
  };

  /// No operand is aligned.
  constexpr Alignment() noexcept = default;
  /// Bit i: operand i is aligned.
  constexpr Alignment(std::uint32_t operand_bits, Reads what) noexcept : operands(operand_bits), reads(what) {}

  [[nodiscard]] constexpr bool includes(std::size_t operand) const noexcept { return operand < 32 && (operands >> operand & 1U) != 0; }

  std::uint32_t operands = 0;
  Reads reads = Reads::row;
};

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  /// Name of the op and of its kernels.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  /// Types of the outputs. All checking of operands happens here: throws ShapeError, DtypeError.
  [[nodiscard]] virtual std::vector<Type> infer(const OperandTypes& operands) const = 0;

  /// Gradient of each operand that is wanted, as new nodes of the graph; undefined for the others. An operand that cannot
  /// have a gradient throws UnsupportedError with op and operand. The default has none.
  [[nodiscard]] virtual std::vector<Value> gradients(const GradientRequest& request) const;

  /// Operands of whose rows row r alone determines row r of output 0, which lies in their row space. None: no such relation. Then
  /// gather_rows(op(x, ...)) = op(gather_rows(x), ...), by any index if the row is all that counts, and by the index of a subset
  /// (`Graph::subset`), which keeps places, if the place counts as well.
  [[nodiscard]] virtual Alignment aligned() const noexcept { return {}; }

  /// True if computing the op again costs about as much as reading its operands: it may be recomputed freely.
  [[nodiscard]] virtual bool cheap() const noexcept { return false; }

  /// Outputs that may or must share memory with an operand.
  [[nodiscard]] virtual std::vector<Alias> aliases() const { return {}; }

  /// Floating-point operations at capacity.
  [[nodiscard]] virtual double flops(const NodeCost&) const { return 0; }
};

/// Fails in the name of `op` unless the operand has a row space, is of the graph's real type and is `width` wide
/// (negative: any width).
void require_rows(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, std::int64_t width = -1);

/// Fails in the name of `op` unless the operand has no row space and exactly these dimensions.
void require_dims(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, const Dims& dims);

/// Fails in the name of `op` unless both operands have the same type.
void require_same(const Op& op, const OperandTypes& operands, std::size_t a, std::size_t b);

}  // namespace preamble
