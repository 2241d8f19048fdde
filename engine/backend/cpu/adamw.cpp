#include "engine/ops/adamw.h"

#include "engine/backend/cpu/update.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void adamw(const KernelArguments& args) {
  const UpdateArguments update(args);
  const T scale = scale_of<T>(args);
  if (!std::isfinite(scale)) return;
  const AdamWOptions& options = static_cast<const AdamW&>(args.op).options;
  const double t = static_cast<double>(update.step + 1);
  const auto step_size = static_cast<T>(update.learning_rate / (1 - std::pow(options.beta1, t)));
  const auto root = static_cast<T>(1 / std::sqrt(1 - std::pow(options.beta2, t)));
  const auto keep = static_cast<T>(1 - update.learning_rate * options.weight_decay);
  const auto b1 = static_cast<T>(options.beta1), b2 = static_cast<T>(options.beta2);
  const auto c1 = static_cast<T>(1 - options.beta1), c2 = static_cast<T>(1 - options.beta2);
  const auto epsilon = static_cast<T>(options.epsilon);
  for (std::size_t i = 0; i < update.op.parameters(); ++i) {
    const std::span<const View> in = args.in.subspan(update.op.operand(i));
    T* p = in[0].as<T>();
    const T* gradient = in[1].as<const T>();
    T* m = in[2].as<T>();
    T* v = in[3].as<T>();
    parallel_for(in[0].count(), kUpdateBlock, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t j = begin; j < end; ++j) {
        const T g = gradient[j] * scale;
        m[j] = b1 * m[j] + c1 * g;
        v[j] = b2 * v[j] + c2 * g * g;
        p[j] = p[j] * keep - step_size * m[j] / (std::sqrt(v[j]) * root + epsilon);
      }
    });
  }
}

template void adamw<float>(const KernelArguments&);
template void adamw<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
