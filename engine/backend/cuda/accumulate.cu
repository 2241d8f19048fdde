#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/accumulate.h"

namespace preamble::cuda {
namespace {

/// sum = 0 + value, or sum + value. A thread owns an element. 0 + x, so that a sum never begins with a negative zero.
template <class Sum>
__global__ void __launch_bounds__(kThreads) accumulate_kernel(Sum* sum, const float* value, const std::int32_t* first, Matrix size) {
  const std::int64_t i = thread_index();
  if (i >= size.count()) return;
  sum[i] = (*first != 0 ? Sum(0) : sum[i]) + static_cast<Sum>(value[i]);
}

template <class Sum>
void run(const Arguments& args) {
  const View& value = args.in[Accumulate::kValue];
  const Matrix size{value.layout, value.rows, value.width};
  launch_each("accumulate", accumulate_kernel<Sum>, size.most(), args.queue, args.out[0].as<Sum>(), value.as<const float>(),
              args.in[Accumulate::kFirst].as<const std::int32_t>(), size);
}

}  // namespace

template <class T>
void accumulate(const Arguments& args) {
  const View& value = args.in[Accumulate::kValue];
  if (value.dtype != Dtype::f32) fail("accumulate: a value is ", name_of(value.dtype), "; wanted F32");
  if (args.out[0].dtype == Dtype::f64) {
    run<double>(args);
  } else {
    run<float>(args);
  }
}

template void accumulate<float>(const Arguments&);
template void accumulate<Bf16>(const Arguments&);

}  // namespace preamble::cuda
