#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"
#include "engine/ops/attention.h"

namespace preamble::cuda {

// Element types are those of the views: kernels for tensor cores or for float32 arithmetic are chosen by them.
template <class T>
void attention(const Arguments& args) {
  const AttentionOptions& options = static_cast<const Attention&>(args.op).options;
  const View o = args.output(Attention::kOutput);
  const View kept = args.output(Attention::kLogSumExp);
  if (kept && kept.dtype != Dtype::f32) fail("attention: log_sum_exp is ", name_of(kept.dtype), "; wanted F32");
  AttentionProblem problem = attention_problem(args, options);
  const AttentionSizes sizes = attention_sizes(args, problem);
  const AttentionScratch scratch = AttentionScratch::forward(options, sizes);
  prepare_tables(args.operand(Attention::kBiasTable), options, sizes, scratch, args.scratch, args.queue, problem);

  std::byte* const seen = args.scratch + scratch.rows + scratch.bias + scratch.output;
  const PrefixCopies prefix = copy_prefix(args, scratch, seen + scratch.seen, problem);
  if (scratch.seen != 0) find_seen_keys(args, seen, prefix, problem);
  const AttentionGrid grid{args.queue, args.operand(Attention::kQuery)};
  AttentionResults results{RowsOut(o), kept.as<float>()};
  if (sizes.on_tensor_cores()) return tensor::output(grid, problem, results);
  if (!o || scratch.output == 0) return general::output(grid, problem, results);
  auto* parts = reinterpret_cast<float*>(args.scratch + scratch.rows + scratch.bias);
  results.output = RowsOut(parts, o.width);
  general::output(grid, problem, results);
  add_chunks(args.queue, parts, 1, 0, o);
}

template void attention<float>(const Arguments&);
template void attention<__nv_bfloat16>(const Arguments&);

}  // namespace preamble::cuda
