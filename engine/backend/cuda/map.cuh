// Functions of elements. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Operands of one type and size.
template <class T, int n>
struct Sources {
  const T* data[n];
};

/// y[i] = f(x₀[i], x₁[i], ...). A thread owns eight neighbouring elements: each operand is read once, and before y is written, so that y
/// may be any of them.
template <class T, int n, class Function>
__global__ void __launch_bounds__(kThreads) map_kernel(Sources<T, n> in, T* y, Matrix size, Function f) {
  const std::int64_t first = thread_index() * kOctet;
  const std::int64_t left = size.count() - first;
  if (left <= 0) return;
  float x[n][kOctet];
#pragma unroll
  for (int k = 0; k < n; ++k) load(in.data[k] + first, left, x[k]);
  f(x);
  store(y + first, left, x[0]);
}

/// `f(x)` gets eight elements of each operand, x[operand][8], and leaves the results in x[0]. Operands and result are of type T.
template <class T, int n, class Function>
void map(const char* name, const Arguments& args, const std::size_t (&operands)[n], const Function& f) {
  const View y = args.output(0);
  if (!y) return;
  Sources<T, n> in;
  for (int k = 0; k < n; ++k) {
    const View x = args.operand(operands[k]);
    if (x.dtype != real_dtype<T>) fail(name, ": operand ", operands[k], " is ", name_of(x.dtype), "; wanted ", name_of(real_dtype<T>));
    in.data[k] = x.as<const T>();
  }
  const Matrix size{y.layout, y.rows, y.width};
  launch_each(name, map_kernel<T, n, Function>, ceil_div(size.most(), kOctet), args.queue, in, y.as<T>(), size, f);
}

}  // namespace preamble::cuda
