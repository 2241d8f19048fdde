#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/backend/cuda/total.cuh"
#include "engine/ops/cross_entropy.h"

namespace preamble::cuda {

template <class T>
void cross_entropy(const Arguments& args) {
  const auto& op = static_cast<const CrossEntropy&>(args.op);
  const View& logits = args.in[CrossEntropy::kLogits];
  LossRows call;
  call.size = {logits.layout, logits.rows, logits.width};
  call.labels = args.in[CrossEntropy::kLabels].as<const std::int32_t>();
  call.z_loss = op.z_loss;
  call.weight = Reals(args.in[CrossEntropy::kWeight]);
  call.weighs_rows = args.in[CrossEntropy::kWeight].layout != nullptr;
  call.terms = reinterpret_cast<double*>(args.scratch);
  call.nll = Reals(args.output(1));
  with_real(logits.dtype, [&]<class L>() {
    loss_rows<L, L>("cross_entropy", call, logits.rows, logits.as<const L>(), logits.width, nullptr, 0, args.queue);
  });
  if (args.output(0)) {
    launch("cross_entropy", total_kernel, 1, 1024, args.queue, call.terms, Matrix{logits.layout, logits.rows, 1}, factor_of(call),
           Reals(args.output(0)));
  }
}

template void cross_entropy<float>(const Arguments&);
template void cross_entropy<Bf16>(const Arguments&);

}  // namespace preamble::cuda
