// A backend that plans for kernels which read and write parts of wider values, on any machine.
#pragma once

#include <memory>
#include <string_view>

#include "engine/backend/backend.h"
#include "engine/ops/attention.h"

namespace preamble::testing {

/// Attention and gates read their operands where they lie and make gradients where they shall lie; products are joined. Runs nothing.
class PlansColumns final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "columns"; }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return "none"; }
  [[nodiscard]] bool has_kernel(std::string_view, Dtype) const noexcept override { return true; }
  [[nodiscard]] std::int64_t scratch(const NodeCost&) const override { return 0; }
  [[nodiscard]] CompilePolicy policy() const noexcept override { return {.join_products = true}; }
  /// As on GPUs: attention reads all keys until it ends.
  [[nodiscard]] bool runs_in_place(const Node& node, const Alias&) const noexcept override { return !is_attention(node); }
  [[nodiscard]] bool reads_columns(const Node& node, std::size_t operand) const noexcept override {
    return is_attention(node) ? operand <= Attention::kValue : is_gate(node) && operand < 2;
  }
  [[nodiscard]] bool writes_columns(const Node& node, std::size_t output) const noexcept override {
    return node.op->name() == "attention_grad" ? output <= Attention::kValue : node.op->name() == "gated_grad";
  }
  [[nodiscard]] Residence& residence() const override { return cpu_backend().residence(); }
  [[nodiscard]] std::unique_ptr<Executor> executor(const Program& program) const override { return cpu_backend().executor(program); }

 private:
  static bool is_attention(const Node& node) { return node.op->name() == "attention" || node.op->name() == "attention_grad"; }
  static bool is_gate(const Node& node) { return node.op->name() == "gated" || node.op->name() == "gated_grad"; }
};

}  // namespace preamble::testing
