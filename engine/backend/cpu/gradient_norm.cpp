#include "engine/ops/gradient_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void gradient_norm(const KernelArguments& args) {
  const auto& op = static_cast<const GradientNorm&>(args.op);
  const std::size_t gradients = args.in.size() - 1;
  double* partial = args.out[GradientNorm::kPartial].as<double>();
  double sum = 0;
  for (std::size_t i = 0; i < gradients; ++i) {
    const T* gradient = args.in[i].as<const T>();
    const std::int64_t count = args.in[i].count();
    parallel_for(count, GradientNorm::kBlock, [&](std::int64_t begin, std::int64_t end) {
      double block = 0;
      for (std::int64_t j = begin; j < end; ++j) {
        const double g = gradient[j];
        block += g * g;
      }
      partial[begin / GradientNorm::kBlock] = block;
    });
    for (std::int64_t block = 0; block < GradientNorm::blocks(count); ++block) sum += *partial++;
  }
  const View& given = args.in[gradients];
  const double loss = given.dtype == Dtype::f64 ? *given.as<const double>() : static_cast<double>(*given.as<const float>());
  const double norm = std::sqrt(sum);
  const double factor = op.max_norm > 0 ? std::min(1.0, op.max_norm / (norm + 1e-6)) : 1.0;
  const bool sound = std::isfinite(loss) && std::isfinite(norm);
  *args.out[GradientNorm::kScale].as<T>() = sound ? static_cast<T>(factor) : std::numeric_limits<T>::quiet_NaN();
  double* report = args.out[GradientNorm::kReport].as<double>();
  report[0] = loss;
  report[1] = norm;
}

template void gradient_norm<float>(const KernelArguments&);
template void gradient_norm<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
