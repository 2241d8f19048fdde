#include "engine/backend/cpu/row_weights.h"
#include "engine/backend/cpu/softmax_loss.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/cross_entropy.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void cross_entropy_grad(const KernelArguments& args) {
  const auto& op = static_cast<const CrossEntropyGrad&>(args.op);
  const View& logits = args.in[CrossEntropyGrad::kLogits];
  const std::int32_t* labels = args.in[CrossEntropyGrad::kLabels].as<std::int32_t>();
  const RowWeights<T> weights(args.in[CrossEntropyGrad::kWeight]);
  const auto dloss = static_cast<double>(*args.in[CrossEntropyGrad::kGradient].as<T>());
  T* d = args.out[0].as<T>();
  const std::int64_t n = logits.width;
  parallel_for(logits.rows, rows_a_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row_loss_and_gradient(logits.as<T>() + r * n, labels[r], op.z_loss, weights[r] * dloss, d + r * n, n);
  });
}

template void cross_entropy_grad<float>(const KernelArguments&);
template void cross_entropy_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
