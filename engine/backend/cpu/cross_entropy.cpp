#include "engine/ops/cross_entropy.h"

#include "engine/backend/cpu/row_weights.h"
#include "engine/backend/cpu/softmax_loss.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void cross_entropy(const KernelArguments& args) {
  const auto& op = static_cast<const CrossEntropy&>(args.op);
  const View& logits = args.in[CrossEntropy::kLogits];
  const std::int32_t* labels = args.in[CrossEntropy::kLabels].as<std::int32_t>();
  const RowWeights<T> weights(args.in[CrossEntropy::kWeight]);
  T* loss = args.out[0].as<T>();
  T* nll = args.out[1].as<T>();
  double* terms = reinterpret_cast<double*>(args.workspace);
  const std::int64_t n = logits.width;
  parallel_for(logits.rows, rows_a_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const RowLoss row = row_loss(logits.as<T>() + r * n, labels[r], op.z_loss, n);
      terms[r] = weights.in_term(r) * row.term();
      if (nll != nullptr) nll[r] = static_cast<T>(row.nll);
    }
  });
  if (loss != nullptr) *loss = static_cast<T>(weights.in_sum() * sum_of(terms, logits.rows));
}

template void cross_entropy<float>(const KernelArguments&);
template void cross_entropy<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
