#include "peft/prompt_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "engine/backend/backend.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/ops/activation.h"
#include "engine/ops/columns.h"
#include "engine/ops/linear.h"
#include "engine/ops/lstm.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr std::string_view kTable = "embedding.weight";
constexpr std::array<std::string_view, 2> kDirections = {"", "_reverse"};

/// A tensor of a reparametrisation. `fan_in` is that of its map; 0 for the table.
struct Part {
  std::string name;
  Dims dims;
  std::int64_t fan_in = 0;
};

std::string_view head_of(EncoderKind kind) { return kind == EncoderKind::projection ? "transform" : "mlp_head"; }

/// Widths from the input of the head to its output.
std::vector<std::int64_t> head_widths(const EncoderShape& s) {
  switch (s.kind) {
    case EncoderKind::projection: return {s.width, s.hidden, s.output};
    case EncoderKind::mlp: return {s.width, s.hidden, s.hidden, s.output};
    case EncoderKind::lstm: return {2 * s.hidden, 2 * s.hidden, s.output};
  }
  return {};
}

std::string lstm_name(std::string_view what, std::int64_t layer, std::string_view direction) {
  return fmt::format("lstm_head.{}_l{}{}", what, layer, direction);
}

std::vector<Part> parts_of(const EncoderShape& s) {
  std::vector<Part> parts = {{std::string(kTable), {s.rows, s.width}, 0}};
  for (std::int64_t layer = 0; s.kind == EncoderKind::lstm && layer < s.layers; ++layer) {
    for (const auto direction : kDirections) {
      const std::int64_t width = layer == 0 ? s.width : 2 * s.hidden;
      parts.push_back({lstm_name("weight_ih", layer, direction), {4 * s.hidden, width}, s.hidden});
      parts.push_back({lstm_name("weight_hh", layer, direction), {4 * s.hidden, s.hidden}, s.hidden});
      parts.push_back({lstm_name("bias_ih", layer, direction), {4 * s.hidden}, s.hidden});
      parts.push_back({lstm_name("bias_hh", layer, direction), {4 * s.hidden}, s.hidden});
    }
  }
  const auto widths = head_widths(s);
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    parts.push_back({fmt::format("{}.{}.weight", head_of(s.kind), 2 * i), {widths[i + 1], widths[i]}, widths[i]});
    parts.push_back({fmt::format("{}.{}.bias", head_of(s.kind), 2 * i), {widths[i + 1]}, widths[i]});
  }
  return parts;
}

/// Dimensions of a tensor that must be there and have so many axes.
const Dims& dims_of(const TensorFile& file, const std::string& name, std::size_t axes) {
  require<FileError>(file.contains(name), "{}: tensor '{}' is missing; wanted the weights of a reparametrisation", file.path().string(),
                     name);
  const Dims& dims = file.dims(name);
  require<FileError>(dims.size() == axes && std::ranges::all_of(dims, [](std::int64_t n) { return n > 0; }),
                     "{}: '{}' is {}; wanted {} positive dimensions", file.path().string(), name, to_string(dims), axes);
  return dims;
}

EncoderShape shape_of(const TensorFile& file, EncoderKind kind, std::string_view prefix) {
  const auto dims = [&](std::string_view name) { return dims_of(file, fmt::format("{}{}", prefix, name), 2); };
  EncoderShape shape;
  shape.kind = kind;
  shape.rows = dims(kTable)[0];
  shape.width = dims(kTable)[1];
  if (kind == EncoderKind::lstm) {
    shape.hidden = dims(lstm_name("weight_hh", 0, {}))[1];
    shape.layers = 0;
    while (file.contains(fmt::format("{}{}", prefix, lstm_name("weight_ih", shape.layers, {})))) ++shape.layers;
  } else {
    shape.hidden = dims(fmt::format("{}.0.weight", head_of(kind)))[0];
  }
  const std::size_t last = 2 * (head_widths(shape).size() - 2);
  shape.output = dims(fmt::format("{}.{}.weight", head_of(kind), last))[0];
  return shape;
}

/// Hidden units of a projection [rows, hidden], behind the tanh.
std::vector<double> hidden_of(const EncoderShape& s, const std::vector<Trainable>& tensors) {
  const auto values = [&](std::string_view name) { return std::ranges::find(tensors, name, &Trainable::name)->value.values<float>(); };
  const auto table = values(kTable);
  const auto weight = values("transform.0.weight");
  const auto bias = values("transform.0.bias");
  std::vector<double> hidden;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    for (std::int64_t h = 0; h < s.hidden; ++h) {
      const auto from = weight.begin() + h * s.width;
      hidden.push_back(std::tanh(std::inner_product(from, from + s.width, table.begin() + row * s.width,
                                                    static_cast<double>(bias[static_cast<std::size_t>(h)]))));
    }
  }
  return hidden;
}

/// H Hᵀ [rows, rows], a little heavier on the diagonal: more rows than hidden units have no inverse.
std::vector<double> gram_of(const std::vector<double>& hidden, std::int64_t rows, std::int64_t width) {
  constexpr double kRidge = 1e-9;
  std::vector<double> gram;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < rows; ++j) {
      const auto from = hidden.begin() + i * width;
      gram.push_back(std::inner_product(from, from + width, hidden.begin() + j * width, i == j ? kRidge * static_cast<double>(width) : 0.0));
    }
  }
  return gram;
}

/// b = A⁻¹ b for a symmetric positive definite A [n, n], which is used up, and b [n, columns]: by Cholesky's factors.
void solve_in_place(std::vector<double> a, std::vector<double>& b, std::int64_t n, std::int64_t columns) {
  const auto at = [&](std::int64_t i, std::int64_t j) -> double& { return a[static_cast<std::size_t>(i * n + j)]; };
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t k = 0; k < j; ++k) at(j, j) -= at(j, k) * at(j, k);
    at(j, j) = std::sqrt(at(j, j));
    for (std::int64_t i = j + 1; i < n; ++i) {
      for (std::int64_t k = 0; k < j; ++k) at(i, j) -= at(i, k) * at(j, k);
      at(i, j) /= at(j, j);
    }
  }
  const auto row = [&](std::int64_t i) { return std::span(b).subspan(static_cast<std::size_t>(i * columns), static_cast<std::size_t>(columns)); };
  const auto subtract = [&](std::int64_t i, std::int64_t k, double factor) {
    std::ranges::transform(row(i), row(k), row(i).begin(), [factor](double x, double y) { return x - factor * y; });
  };
  const auto divide = [&](std::int64_t i) {
    for (auto& x : row(i)) x /= at(i, i);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < i; ++k) subtract(i, k, at(i, k));
    divide(i);
  }
  for (std::int64_t i = n; i-- > 0;) {
    for (std::int64_t k = i + 1; k < n; ++k) subtract(i, k, at(k, i));
    divide(i);
  }
}

}  // namespace

PromptEncoder PromptEncoder::random(const EncoderShape& shape, std::uint64_t seed, double deviation) {
  constexpr std::uint64_t kStream = 0x656e636f64;
  Random random(seed, kStream);
  std::vector<Trainable> tensors;
  for (const auto& part : parts_of(shape)) {
    Tensor tensor(Dtype::f32, part.dims);
    const auto bound = static_cast<float>(1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(1, part.fan_in))));
    for (auto& x : tensor.values<float>()) {
      x = part.fan_in == 0 ? static_cast<float>(deviation) * random.normal() : random.uniform(-bound, bound);
    }
    tensors.push_back({part.name, std::move(tensor)});
  }
  return {shape, std::move(tensors)};
}

PromptEncoder PromptEncoder::read(const TensorFile& file, EncoderKind kind, std::string_view prefix) {
  const EncoderShape shape = shape_of(file, kind, prefix);
  std::vector<Trainable> tensors;
  for (const auto& part : parts_of(shape)) {
    const std::string name = fmt::format("{}{}", prefix, part.name);
    const Dims& dims = dims_of(file, name, part.dims.size());
    require<FileError>(dims == part.dims, "{}: '{}' is {}; wanted {}", file.path().string(), name, to_string(dims), to_string(part.dims));
    const Tensor stored = file.get(name);
    require<FileError>(is_floating(stored.dtype()), "{}: '{}' is {}; wanted a floating type", file.path().string(), name,
                       name_of(stored.dtype()));
    const Tensor converted = stored.to(Dtype::f32);
    tensors.push_back({part.name, converted.writable() ? converted : converted.clone()});
  }
  return {shape, std::move(tensors)};
}

void PromptEncoder::fit(const Tensor& rows) {
  require<UnsupportedError>(shape_.kind == EncoderKind::projection, "reparametrisation: only a projection is fitted to given rows");
  require<ShapeError>(rows.dtype() == Dtype::f32 && rows.dims() == Dims{shape_.rows, shape_.output},
                      "reparametrisation: rows {} were given to fit; wanted [{}, {}] in f32", to_string(rows.dims()), shape_.rows,
                      shape_.output);
  const std::vector<double> hidden = hidden_of(shape_, tensors_);
  const Tensor now = fold();
  std::vector<double> wanted(rows.values<float>().begin(), rows.values<float>().end());
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] -= static_cast<double>(now.values<float>()[i]);
  // dW = Rᵀ (H Hᵀ)⁻¹ H for hidden units H and what is missing R
  solve_in_place(gram_of(hidden, shape_.rows, shape_.hidden), wanted, shape_.rows, shape_.output);
  Tensor& last = std::ranges::find(tensors_, "transform.2.weight", &Trainable::name)->value;
  const auto weight = last.values<float>();
  for (std::int64_t o = 0; o < shape_.output; ++o) {
    for (std::int64_t h = 0; h < shape_.hidden; ++h) {
      double sum = 0;
      for (std::int64_t r = 0; r < shape_.rows; ++r) {
        sum += wanted[static_cast<std::size_t>(r * shape_.output + o)] * hidden[static_cast<std::size_t>(r * shape_.hidden + h)];
      }
      weight[static_cast<std::size_t>(o * shape_.hidden + h)] += static_cast<float>(sum);
    }
  }
  // `fold` has made the tensors resident
  default_backend().residence().upload(last);
}

Value PromptEncoder::build(Graph& graph, const LeafNames& names) const {
  const std::string table = names(kTable);
  const RowSpaceId space = graph.rows(table, shape_.rows, 1);
  for (const auto& tensor : tensors_) {
    (void)graph.trainable(names(tensor.name), tensor.value, tensor.name == kTable ? space : kNoRows);
  }
  const auto leaf = [&](std::string_view name) { return graph.leaf(names(name)); };
  Value x = leaf(kTable);
  for (std::int64_t layer = 0; shape_.kind == EncoderKind::lstm && layer < shape_.layers; ++layer) {
    if (layer > 0) x = dropped(graph, x, shape_.dropout);
    std::vector<Value> both;
    for (const auto direction : kDirections) {
      const Value share = linear(x, leaf(lstm_name("weight_ih", layer, direction)), leaf(lstm_name("bias_ih", layer, direction)));
      both.push_back(
          lstm(share, leaf(lstm_name("weight_hh", layer, direction)), leaf(lstm_name("bias_hh", layer, direction)), !direction.empty()));
    }
    x = concat_columns(both);
  }
  const auto function = shape_.kind == EncoderKind::projection ? ActivationKind::tanh : ActivationKind::relu;
  const std::size_t maps = head_widths(shape_).size() - 1;
  for (std::size_t i = 0; i < maps; ++i) {
    if (i > 0) x = activation(x, function);
    const std::string map = fmt::format("{}.{}", head_of(shape_.kind), 2 * i);
    x = linear(x, leaf(map + ".weight"), leaf(map + ".bias"));
  }
  return x;
}

Tensor PromptEncoder::fold() const {
  constexpr std::string_view kRows = "rows";
  Graph graph;
  graph.output(kRows, build(graph, [](std::string_view name) { return std::string(name); }));
  Session session(compile(std::move(graph)));
  session.run();
  return session.result_tensor(kRows);
}

}  // namespace preamble
