#include "engine/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/optim/state.h"

namespace preamble {

std::int64_t Optimizer::state_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : state()) bytes += static_cast<std::int64_t>(tensor.bytes());
  return bytes;
}

std::vector<Tensor> zeros(const std::vector<Dims>& shapes) {
  std::vector<Tensor> tensors;
  for (const auto& dims : shapes) tensors.emplace_back(Dtype::f32, dims);
  return tensors;
}

void save_state(std::map<std::string, Tensor>& state, std::string_view what, const std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) state[fmt::format("{}.{}", what, i)] = tensors[i];
}

void load_state(const std::map<std::string, Tensor>& state, std::string_view what, std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string name = fmt::format("{}.{}", what, i);
    const auto found = state.find(name);
    require<FileError>(found != state.end(), "optimizer state: '{}' is missing", name);
    require<FileError>(found->second.dims() == tensors[i].dims() && found->second.dtype() == Dtype::f32,
                       "optimizer state: '{}' is {} {}; wanted F32 {}", name, name_of(found->second.dtype()), to_string(found->second.dims()),
                       to_string(tensors[i].dims()));
    if (tensors[i].bytes() != 0) std::memcpy(tensors[i].data(), found->second.data(), tensors[i].bytes());
  }
}

double gradient_norm(std::span<const ParameterUpdate> parameters) {
  constexpr std::int64_t kBlock = 1 << 16;
  double sum = 0;
  for (const auto& parameter : parameters) {
    const auto count = static_cast<std::int64_t>(parameter.gradient.size());
    std::vector<double> partial(static_cast<std::size_t>((count + kBlock - 1) / kBlock));
    parallel_for(count, kBlock, [&](std::int64_t begin, std::int64_t end) {
      double block = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const double g = parameter.gradient[static_cast<std::size_t>(i)];
        block += g * g;
      }
      partial[static_cast<std::size_t>(begin / kBlock)] = block;
    });
    for (const double block : partial) sum += block;
  }
  return std::sqrt(sum);
}

double clip_factor(double norm, double limit) noexcept { return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0; }

}  // namespace preamble
