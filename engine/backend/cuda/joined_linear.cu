#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/products.h"
#include "engine/ops/joined_linear.h"

namespace preamble::cuda {
namespace {

/// The maps of a node, and where their matrices lie.
class Maps {
 public:
  explicit Maps(const Arguments& args) : args_(args), op_(static_cast<const JoinedLinear&>(args.op)) {}

  [[nodiscard]] std::int64_t rows(std::size_t i) const { return (*args_.in[op_.weight(i)].dims)[0]; }
  [[nodiscard]] bool has_bias() const { return bool(args_.operand(op_.bias(0))); }
  [[nodiscard]] const void* matrix(std::size_t i) const { return args_.in[op_.weight(i)].data; }

  /// Biases as one: where they lie, if they follow each other in the type of activations, else copies in scratch memory.
  template <class T>
  [[nodiscard]] const void* bias() const {
    bool together = true;
    for (std::size_t i = 0; i < op_.count; ++i) {
      const View& b = args_.in[op_.bias(i)];
      together = together && b.dtype == real_dtype<T> && (i == 0 || args_.in[op_.bias(i - 1)].template as<T>() + rows(i - 1) == b.data);
    }
    if (!together) join_biases<T>();
    return together ? args_.in[op_.bias(0)].data : args_.scratch;
  }

  /// Does each matrix begin where the one before it ends? See `CudaResidence::hold_together`.
  [[nodiscard]] bool follow_each_other(std::int64_t element) const {
    for (std::size_t i = 0; i + 1 < op_.count; ++i) {
      const View& w = args_.in[op_.weight(i)];
      if (w.as<const std::byte>() + w.width * element != matrix(i + 1)) return false;
    }
    return true;
  }

 private:
  template <class T>
  void join_biases() const {
    std::int64_t first = 0;
    for (std::size_t i = 0; i < op_.count; ++i) {
      const View bias = args_.in[op_.bias(i)];
      View to = bias;
      to.data = args_.scratch;
      to.dtype = real_dtype<T>;
      copy_rows("joined_linear", {Reals(bias), 0, rows(i)}, {Reals(to), first, rows(i)}, {nullptr, 1, rows(i)}, args_.queue);
      first += rows(i);
    }
  }

  const Arguments& args_;
  const JoinedLinear& op_;
};

}  // namespace

/// One product where the matrices lie one behind the other, else one for each.
template <class T>
void joined_linear(const Arguments& args) {
  const auto& op = static_cast<const JoinedLinear&>(args.op);
  const View &x = args.in[JoinedLinear::kInput], &y = args.out[0];
  const View residual = args.operand(JoinedLinear::kResidual);
  constexpr auto kElement = static_cast<std::int64_t>(sizeof(T));
  const Maps maps(args);
  Product p;
  p.m = x.rows, p.n = y.width, p.k = x.width;
  p.a_type = p.b_type = p.c_type = real_dtype<T>;
  p.a = x.data, p.lda = x.width;
  p.b = maps.matrix(0), p.ldb = op.transposed ? y.width : x.width;
  p.transpose_b = !op.transposed;
  p.c = y.data, p.ldc = y.width;
  if (residual) p.addend = residual.data, p.beta = 1;
  if (maps.has_bias()) p.bias = maps.bias<T>();
  if (maps.follow_each_other(kElement)) return args.queue.products->run(p);
  const Product whole = p;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < op.count; ++i) {
    const auto at = [&](const void* base) { return base == nullptr ? nullptr : static_cast<const std::byte*>(base) + first * kElement; };
    p.b = maps.matrix(i);
    if (op.transposed) {
      p.k = maps.rows(i), p.a = at(whole.a);
      if (i > 0) p.addend = y.data, p.beta = 1;
    } else {
      p.n = maps.rows(i), p.c = const_cast<std::byte*>(at(whole.c));
      p.addend = at(whole.addend), p.bias = at(whole.bias);
    }
    first += maps.rows(i);
    args.queue.products->run(p);
  }
}

template void joined_linear<float>(const Arguments&);
template void joined_linear<Bf16>(const Arguments&);

}  // namespace preamble::cuda
