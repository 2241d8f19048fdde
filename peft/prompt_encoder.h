// Reparametrisations: a table of rows and a small network that turns it into what the model is conditioned with. Trained in
// its stead, folded into plain rows at export.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tensor_file.h"
#include "peft/method.h"

namespace preamble {

enum class EncoderKind : std::uint8_t {
  projection,  ///< linear, tanh, linear (`transform`): prefixes of Li and Liang 2021
  mlp,         ///< linear, relu, linear, relu, linear (`mlp_head`): P-tuning of Liu et al. 2021, as in PEFT
  lstm,        ///< a bidirectional LSTM (`lstm_head`), then linear, relu, linear (`mlp_head`)
};

/// What decides the tensors of a reparametrisation.
struct EncoderShape {
  EncoderKind kind = EncoderKind::projection;
  std::int64_t rows = 0;
  std::int64_t width = 0;   ///< of the table
  std::int64_t hidden = 0;  ///< of the network; of one direction of the LSTM
  std::int64_t output = 0;  ///< of each row of the result
  std::int64_t layers = 2;  ///< of the LSTM
  double dropout = 0;       ///< between these, while training (`dropped`)

  bool operator==(const EncoderShape&) const = default;
};

/// How a tensor is called as a leaf of a graph.
using LeafNames = std::function<std::string(std::string_view)>;

/// Tensors and names are those of PEFT's state dict without `prompt_encoder.<adapter>.`: `embedding.weight` [rows, width],
/// `transform.0.weight` [hidden, width], `lstm_head.weight_ih_l0_reverse` [4·hidden, width], ...
class PromptEncoder {
 public:
  /// PEFT's initialisation: the table N(0, deviation²) (PEFT: 1), the network U(±1/√n) with n inputs of a linear map, the
  /// hidden width of the LSTM. A function of shape and seed alone.
  [[nodiscard]] static PromptEncoder random(const EncoderShape& shape, std::uint64_t seed, double deviation = 1);

  /// The tensors `prefix` + name of a file; everything is copied as F32. Their dimensions say rows, widths and layers. Throws
  /// FileError for missing or misshaped tensors.
  [[nodiscard]] static PromptEncoder read(const TensorFile& file, EncoderKind kind, std::string_view prefix = {});

  [[nodiscard]] const EncoderShape& shape() const noexcept { return shape_; }
  /// The tensors themselves, in a fixed order: whoever writes to them trains the encoder.
  [[nodiscard]] const std::vector<Trainable>& tensors() const noexcept { return tensors_; }

  /// Sets the rate of the dropout between the layers of the LSTM: PEFT's `encoder_dropout`.
  void set_dropout(double rate) noexcept { shape_.dropout = rate; }

  /// Result of the network [rows(space), output] in a row space of its own that holds all rows. Declares the tensors as
  /// trainable leaves.
  [[nodiscard]] Value build(Graph& graph, const LeafNames& names) const;

  /// The same as numbers, F32 [rows, output]: what is exported.
  [[nodiscard]] Tensor fold() const;

  /// Changes the last map as little as possible (least Frobenius norm) so that the network computes `rows`, F32 [rows, output]:
  /// exactly where it can, which it can with at least as many hidden units as rows. Li and Liang (2021) fit the network to the
  /// activations of words by 500 steps of Adam; for that map alone the least-squares problem has this closed form. Throws ShapeError
  /// for other dimensions, UnsupportedError for a network that is no `projection`.
  void fit(const Tensor& rows);

 private:
  PromptEncoder(const EncoderShape& shape, std::vector<Trainable> tensors) : shape_(shape), tensors_(std::move(tensors)) {}

  EncoderShape shape_;
  std::vector<Trainable> tensors_;
};

}  // namespace preamble
