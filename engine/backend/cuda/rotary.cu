#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/rotary.h"

namespace preamble::cuda {
namespace {

template <class T>
struct RotaryCall {
  const T* x;
  const float* angles;
  T* y;              ///< may be x
  std::int64_t dim;  ///< columns of a head
  std::int64_t pairs;
  float sign;  ///< of the sines
  Matrix size;
};

/// A thread owns a pair of columns of one head, or one that is copied: it reads what it overwrites before it writes.
template <class T>
__global__ void __launch_bounds__(kThreads) rotary_kernel(RotaryCall<T> call) {
  const std::int64_t each = call.dim - call.pairs, heads = call.size.columns / call.dim;
  const std::int64_t thread = thread_index();
  const std::int64_t head = thread / each, i = thread % each, row = head / heads;
  if (row >= call.size.rows()) return;
  const std::int64_t first = head * call.dim;
  if (i >= call.pairs) {
    call.y[first + call.pairs + i] = call.x[first + call.pairs + i];
    return;
  }
  const float* angles = call.angles + row * 2 * call.pairs;
  const float cosine = angles[i], sine = call.sign * angles[call.pairs + i];
  const float a = to_float(call.x[first + i]), b = to_float(call.x[first + call.pairs + i]);
  call.y[first + i] = from_float<T>(cosine * a - sine * b);
  call.y[first + call.pairs + i] = from_float<T>(cosine * b + sine * a);
}

}  // namespace

template <class T>
void rotary(const Arguments& args) {
  const auto& op = static_cast<const Rotary&>(args.op);
  const View x = args.operand(Rotary::kInput), angles = args.operand(Rotary::kAngles), y = args.output(0);
  if (!y) return;
  if (x.dtype != real_dtype<T> || angles.dtype != Dtype::f32) {
    fail("rotary: x is ", name_of(x.dtype), " and angles are ", name_of(angles.dtype), "; wanted ", name_of(real_dtype<T>), " and F32");
  }
  const RotaryCall<T> call{x.as<const T>(),           angles.as<const float>(),         y.as<T>(), x.width / op.heads, angles.width / 2,
                           op.inverse ? -1.0F : 1.0F, Matrix{x.layout, x.rows, x.width}};
  launch_each("rotary", rotary_kernel<T>, x.rows * op.heads * (call.dim - call.pairs), args.queue, call);
}

template void rotary<float>(const Arguments&);
template void rotary<Bf16>(const Arguments&);

}  // namespace preamble::cuda
