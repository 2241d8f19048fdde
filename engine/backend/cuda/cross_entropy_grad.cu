#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/ops/cross_entropy.h"

namespace preamble::cuda {

template <class T>
void cross_entropy_grad(const Arguments& args) {
  const auto& op = static_cast<const CrossEntropyGrad&>(args.op);
  const View& logits = args.in[CrossEntropyGrad::kLogits];
  LossRows call;
  call.size = {logits.layout, logits.rows, logits.width};
  call.labels = args.in[CrossEntropyGrad::kLabels].as<const std::int32_t>();
  call.z_loss = op.z_loss;
  call.weight = Reals(args.in[CrossEntropyGrad::kWeight]);
  call.weighs_rows = op.weighs_rows;
  call.dloss = Reals(args.in[CrossEntropyGrad::kGradient]);
  with_real(logits.dtype, [&]<class L>() {
    loss_rows("cross_entropy_grad", call, logits.rows, logits.as<const L>(), logits.width, args.out[0].as<L>(), logits.width, args.queue);
  });
}

template void cross_entropy_grad<float>(const Arguments&);
template void cross_entropy_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
