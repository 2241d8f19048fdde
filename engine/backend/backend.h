// A device: which kernels it has, what they need, how programs run on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/backend/executor.h"
#include "engine/backend/residence.h"
#include "engine/graph/op.h"

namespace preamble {

class Program;

/// Which optional rewrites of a graph pay on a device.
struct CompilePolicy {
  /// `absorb_projections`: needs attention over heads as wide as the encoder.
  bool absorb_projections = true;
  /// `fuse_feed_forward`: needs kernels that make the wide value in chunks.
  bool fuse_feed_forward = true;
  /// `keep_attention_outputs`: pays where a gradient is bound by its products rather than by memory.
  bool keep_attention_outputs = false;
  /// `fuse_slopes`: needs products in bf16 that end in the gradient of gelu_tanh.
  bool fuse_slopes = false;
  /// `join_products`: pays where several products of the same rows fill a device less well than one.
  bool join_products = false;
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  /// `cpu`, `cuda:0`
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// What the kernels were built for, as `x86_64_v4`.
  [[nodiscard]] virtual std::string_view instruction_set() const noexcept = 0;
  /// Is there a kernel of an op for activations of this type?
  [[nodiscard]] virtual bool has_kernel(std::string_view op, Dtype activation) const noexcept = 0;

  /// May a matrix that a kernel reads as a `StoredMatrix` be of this type?
  [[nodiscard]] virtual bool reads(Dtype stored) const noexcept { return !is_quantised(stored) && stored != Dtype::f16; }

  /// Bytes of scratch memory that the node's kernel needs while it runs: a function of the node's capacities alone, so that a plan does not
  /// depend on the machine.
  [[nodiscard]] virtual std::int64_t scratch(const NodeCost& cost) const = 0;
  [[nodiscard]] virtual CompilePolicy policy() const noexcept { return {}; }
  /// What the node's time is worth in operations of large products, for the choice of what is computed again. Of products themselves: their
  /// operations.
  [[nodiscard]] virtual double work(const NodeCost& cost) const { return cost.node.op->flops(cost); }
  /// May the node's kernel write an output over an operand, where the op itself allows it?
  [[nodiscard]] virtual bool runs_in_place(const Node& /*node*/, const Alias& /*alias*/) const noexcept { return true; }
  /// May the node's kernel read an operand, or write an output, whose rows lie further apart than they are wide (`column_views`)?
  [[nodiscard]] virtual bool reads_columns(const Node& /*node*/, std::size_t /*operand*/) const noexcept { return false; }
  [[nodiscard]] virtual bool writes_columns(const Node& /*node*/, std::size_t /*output*/) const noexcept { return false; }

  [[nodiscard]] virtual Residence& residence() const = 0;
  /// The program must outlive the executor. Throws DeviceError if its memory cannot be had.
  [[nodiscard]] virtual std::unique_ptr<Executor> executor(const Program& program) const = 0;
};

/// The main processor: kernels for the best instruction set that it has. Throws UnsupportedError if the build covers none of its sets.
[[nodiscard]] const Backend& cpu_backend();

/// The backend of programs that are compiled without naming one: `cpu_backend()` until it is set. Set it before any program is compiled;
/// it must outlive them all.
[[nodiscard]] const Backend& default_backend() noexcept;
void set_default_backend(const Backend& backend) noexcept;

/// Type of the activations that a node computes with: the narrowest floating type among operands and outputs that have rows, the type of
/// its first floating value where none has. Throws nothing; f32 for a node without floating values.
[[nodiscard]] Dtype activation_type(const Node& node) noexcept;

/// Throws UnsupportedError, with op, backend and type, if the backend has no kernel for the node or does not read a type of its operands.
void require_kernel(const Backend& backend, const Node& node);

}  // namespace preamble
