#include <utility>

#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"
#include "engine/ops/attention.h"

namespace preamble::cuda {
namespace {

/// Regions of the scratch memory behind the tables.
struct Regions {
  Regions(std::byte* memory, const AttentionScratch& s) {
    std::byte* next = memory + s.rows + s.bias;
    const auto region = [&](std::int64_t bytes) { return reinterpret_cast<float*>(std::exchange(next, next + bytes)); };
    output = region(s.output);
    products = region(s.products);
    own_keys = region(s.own);
    own_values = region(s.own);
    prefix_keys = region(s.prefix);
    prefix_values = region(s.prefix);
    position_k = region(s.position_k);
    position_q = region(s.position_q);
    bias = region(s.bias_gradient);
    seen = reinterpret_cast<std::byte*>(region(s.seen));
    narrow_prefix = next;
  }
  std::byte *seen, *narrow_prefix;
  float *output, *products, *own_keys, *own_values, *prefix_keys, *prefix_values, *position_k, *position_q, *bias;
};

/// What the gradients of the keys of K or of P are made of.
struct Keys {
  const View& operand;
  const View& dk;
  const View& dv;
  float* key_sums;
  float* value_sums;
};

class Gradient {
 public:
  explicit Gradient(const Arguments& args)
      : args_(args),
        op_(static_cast<const AttentionGrad&>(args.op)),
        problem_(attention_problem(args, op_.options)),
        sizes_(attention_sizes(args, problem_)),
        scratch_(AttentionScratch::backward(op_.options, sizes_,
                                            {.own = problem_.kv_segment != nullptr,
                                             .prefix = out(Attention::kPrefixKey) || out(Attention::kPrefixValue),
                                             .bias = bool(out(Attention::kBiasTable)),
                                             .position_k = bool(out(Attention::kPositionKey)),
                                             .position_q = bool(out(Attention::kPositionQuery))})),
        regions_(args.scratch, scratch_),
        grid_{args.queue, args.operand(Attention::kQuery)} {
    const View kept = args.operand(AttentionGrad::kLogSumExp);
    if (kept.dtype != Dtype::f32) fail("attention_grad: log_sum_exp is ", name_of(kept.dtype), "; wanted F32");
    given_ = {RowsIn(args.operand(AttentionGrad::kOutputGradient)), kept.as<const float>(), regions_.products};
    prepare_tables(args.operand(Attention::kBiasTable), op_.options, sizes_, scratch_, args.scratch, args.queue, problem_);
    const PrefixCopies prefix = copy_prefix(args, scratch_, regions_.narrow_prefix, problem_);
    if (scratch_.seen != 0) find_seen_keys(args, regions_.seen, prefix, problem_);
  }

  /// dQ may lie where dO does if o is known (`attention_runs_in_place`): it is made last then.
  void run() const {
    const bool both = !args_.operand(AttentionGrad::kOutput) && out(Attention::kQuery) && sizes_.on_tensor_cores() &&
                      tensor::makes_both(grid_, problem_);
    if (both) {
      tensor::query_gradient_and_products(grid_, problem_, given_, RowsOut(out(Attention::kQuery)));
    } else {
      products();
    }
    key_gradients();
    table_gradients();
    if (!both) query_gradient();
  }

 private:
  [[nodiscard]] View out(std::size_t i) const noexcept { return args_.output(i); }

  void products() const {
    const View output = args_.operand(AttentionGrad::kOutput);
    if (output)
      return output_products(args_.queue, args_.operand(AttentionGrad::kOutputGradient), output, problem_.heads, regions_.products);
    (sizes_.on_tensor_cores() ? tensor::products : general::products)(grid_, problem_, given_);
  }

  void key_gradients() const {
    const View none;
    const View dk = out(Attention::kKey);
    const View dv = out(Attention::kValue);
    add_keys(false, {args_.operand(Attention::kKey), dk, op_.joint ? none : dv, regions_.own_keys, regions_.own_values});
    add_keys(true, {args_.operand(Attention::kPrefixKey), out(Attention::kPrefixKey), out(Attention::kPrefixValue), regions_.prefix_keys,
                    regions_.prefix_values});
  }

  void add_keys(bool prefix, const Keys& keys) const {
    if (!keys.dk && !keys.dv) return;
    KeyGradients to;
    to.target.prefix = prefix;
    const std::int64_t rows = keys.operand.rows;
    const std::int64_t chunks = to.target.direct(problem_) ? 1 : AttentionScratch::chunks(rows, problem_.kv_heads);
    to.target.chunks = static_cast<std::int32_t>(chunks);
    to.rows = rows;
    to.segments = keys.operand.segments;
    to.joint = !prefix && op_.joint;
    to.chunk_elements = rows * keys.operand.width;
    const auto sums = [&](const View& gradient, float* partial) {
      return !gradient || chunks == 1 ? RowsOut(gradient) : RowsOut(partial, gradient.width);
    };
    to.keys = sums(keys.dk, keys.key_sums);
    to.values = sums(keys.dv, keys.value_sums);
    (sizes_.on_tensor_cores() ? tensor::key_gradients : general::key_gradients)(grid_, problem_, given_, to);
    if (chunks == 1) return;
    add_chunks(args_.queue, keys.key_sums, keys.value_sums, chunks, to.chunk_elements, keys.dk, keys.dv);
  }

  void table_gradients() const {
    const View bias = out(Attention::kBiasTable);
    const View position_k = out(Attention::kPositionKey);
    const View position_q = out(Attention::kPositionQuery);
    if (!bias && !position_k && !position_q) return;
    const std::int64_t chunks = AttentionScratch::table_chunks(problem_.heads);
    TableGradients to;
    if (bias) to.bias = regions_.bias;
    if (position_k) to.position_k = regions_.position_k;
    if (position_q) to.position_q = regions_.position_q;
    to.buckets = static_cast<std::int32_t>(sizes_.buckets);
    to.positions = static_cast<std::int32_t>(sizes_.positions);
    to.chunks = static_cast<std::int32_t>(chunks);
    cuda::table_gradients(grid_, problem_, given_, to);
    const std::int64_t table = sizes_.positions * problem_.heads * problem_.dim;
    if (bias) add_chunks(args_.queue, regions_.bias, chunks, sizes_.buckets * problem_.heads, bias);
    if (position_k) add_chunks(args_.queue, regions_.position_k, chunks, table, position_k);
    if (position_q) add_chunks(args_.queue, regions_.position_q, chunks, table, position_q);
  }

  void query_gradient() const {
    const View dq = out(Attention::kQuery);
    if (!dq) return;
    if (sizes_.on_tensor_cores()) return tensor::query_gradient(grid_, problem_, given_, RowsOut(dq));
    if (scratch_.output == 0) return general::query_gradient(grid_, problem_, given_, RowsOut(dq));
    general::query_gradient(grid_, problem_, given_, RowsOut(regions_.output, dq.width));
    add_chunks(args_.queue, regions_.output, 1, 0, dq);
  }

  const Arguments& args_;
  const AttentionGrad& op_;
  AttentionProblem problem_;
  AttentionSizes sizes_;
  AttentionScratch scratch_;
  Regions regions_;
  AttentionGrid grid_;
  AttentionGradients given_;
};

}  // namespace

// Element types are those of the views: kernels for tensor cores or for float32 arithmetic are chosen by them.
template <class T>
void attention_grad(const Arguments& args) {
  Gradient(args).run();
}

template void attention_grad<float>(const Arguments&);
template void attention_grad<__nv_bfloat16>(const Arguments&);

}  // namespace preamble::cuda
