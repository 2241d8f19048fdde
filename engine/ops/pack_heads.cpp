#include "engine/ops/pack_heads.h"

#include <memory>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> PackHeads::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "x");
  const Type& x = operands[0];
  require<ShapeError>(!x.has_rows() && x.dims.size() == 4, "pack_heads: x is {}; wanted [L, H, P, d]", operands.graph.describe(x));
  return {{x.dtype, kNoRows, {x.dims[2], x.dims[0] * x.dims[1] * x.dims[3]}}};
}

std::vector<Value> PackHeads::gradients(const GradientRequest& request) const {
  return {unpack_heads(request.output_gradients[0], request.input(0).type().dims)};
}

std::vector<Type> UnpackHeads::infer(const OperandTypes& operands) const {
  require<ShapeError>(dims.size() == 4, "unpack_heads: dimensions {} were given; wanted [L, H, P, d]", to_string(dims));
  require_parameter(*this, operands, 0, "y", {dims[2], dims[0] * dims[1] * dims[3]});
  return {{operands[0].dtype, kNoRows, dims}};
}

std::vector<Value> UnpackHeads::gradients(const GradientRequest& request) const { return {pack_heads(request.output_gradients[0])}; }

Value pack_heads(Value x) { return x.graph->add(std::make_shared<PackHeads>(), {x}); }
Value unpack_heads(Value y, Dims dims) { return y.graph->add(std::make_shared<UnpackHeads>(std::move(dims)), {y}); }

}  // namespace preamble
