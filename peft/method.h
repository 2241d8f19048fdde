// A parameter-efficient method: a few trainable tensors, and how they condition a frozen model.
#pragma once

#include <string>
#include <vector>

#include "engine/core/tensor.h"
#include "models/conditioning.h"

namespace preamble {

/// A tensor that training updates, under the name of its leaf.
struct Trainable {
  std::string name;
  Tensor value;
};

class Method {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  /// Declares the method's tensors in a graph as trainable leaves and makes the conditioning out of them. Graphs made from
  /// one method share its memory: a program for evaluation sees what a program for training updates.
  [[nodiscard]] virtual Conditioning condition(Graph& graph) const = 0;

  /// In a fixed order. Gradients are results `grad.<name>`.
  [[nodiscard]] virtual std::vector<Trainable> trainables() const = 0;
};

/// The plain model, and full fine-tuning: nothing in front of anything.
class NoMethod final : public Method {
 public:
  [[nodiscard]] Conditioning condition(Graph&) const override { return {}; }
  [[nodiscard]] std::vector<Trainable> trainables() const override { return {}; }
};

/// Name of an adapter's tensor where several adapters share a program: `1.prompt_embeddings`; with one adapter the bare name.
[[nodiscard]] std::string slot_name(std::size_t slot, std::size_t slots, std::string_view name);

}  // namespace preamble
