#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/partial_sums.h"
#include "engine/backend/cuda/total.cuh"

namespace preamble::cuda {
namespace {

/// parts[b] = Σ x y over the octets b · threads + t, then every kElementParts · threads further: a block owns a part, summed in double.
template <class X, class Y>
__global__ void __launch_bounds__(kThreads) dot_kernel(const X* x, const Y* y, Matrix size, double* parts) {
  const std::int64_t count = size.count();
  double sum = 0;
  for (std::int64_t first = thread_index() * kOctet; first < count; first += kElementParts * kThreads * kOctet) {
    float a[kOctet], b[kOctet];
    load(x + first, count - first, a);
    load(y + first, count - first, b);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

}  // namespace

template <class T>
void dot(const Arguments& args) {
  const View& x = args.in[0];
  const View& y = args.in[1];
  auto* parts = reinterpret_cast<double*>(args.scratch);
  with_real(x.dtype, [&]<class X>() {
    with_real(y.dtype, [&]<class Y>() {
      launch("dot", dot_kernel<X, Y>, kElementParts, kThreads, args.queue, x.as<const X>(), y.as<const Y>(),
             Matrix{x.layout, x.rows, x.width}, parts);
    });
  });
  launch("dot", total_kernel, 1, 1024, args.queue, parts, Matrix{nullptr, kElementParts, 1}, Reals(), Reals(args.out[0]));
}

template void dot<float>(const Arguments&);
template void dot<Bf16>(const Arguments&);

}  // namespace preamble::cuda
