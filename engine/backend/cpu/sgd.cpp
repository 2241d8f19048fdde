#include "engine/ops/sgd.h"

#include "engine/backend/cpu/update.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void sgd(const KernelArguments& args) {
  const UpdateArguments update(args);
  const T scale = scale_of<T>(args);
  if (!std::isfinite(scale)) return;
  const SgdOptions& options = static_cast<const Sgd&>(args.op).options;
  const auto rate = static_cast<T>(update.learning_rate);
  const auto decay = static_cast<T>(options.weight_decay), momentum = static_cast<T>(options.momentum);
  for (std::size_t i = 0; i < update.op.parameters(); ++i) {
    const std::span<const View> in = args.in.subspan(update.op.operand(i));
    T* p = in[0].as<T>();
    const T* gradient = in[1].as<const T>();
    T* u = options.momentum != 0 ? in[2].as<T>() : nullptr;
    parallel_for(in[0].count(), kUpdateBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        T direction = gradient[j] * scale + decay * p[j];
        if (u != nullptr) direction = u[j] = momentum * u[j] + direction;
        p[j] -= rate * direction;
      }
    });
  }
}

template void sgd<float>(const KernelArguments&);
template void sgd<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
