// Which ops the CUDA backend has kernels for. Needs no GPU: a kernel that nobody wrote is found wherever the toolkit is.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/backend/cpu/table.h"
#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"

namespace kernels_test {

using namespace preamble;

namespace {

/// Ops that no program of a GPU has.
struct CpuAlone {
  std::string_view op, reason;
};
constexpr std::array kCpuAlone = {
    CpuAlone{"feed_forward", "CompilePolicy::fuse_feed_forward is off"},
    CpuAlone{"feed_forward_grad", "CompilePolicy::fuse_feed_forward is off"},
};

bool is_cpu_alone(std::string_view op) { return std::ranges::find(kCpuAlone, op, &CpuAlone::op) != kCpuAlone.end(); }

}  // namespace

// doctest's filters do not tell case apart, and what begins with `cuda` needs a GPU
TEST_CASE("kernels for GPUs: there is one for each op of the CPU and each type of activations") {
  if (!has_cuda()) {
    CHECK_THROWS_WITH_AS((void)cuda_planning_backend(), ("device cuda: " + cuda_problem()).c_str(), UnsupportedError);
    return;
  }
  const Backend& gpu = cuda_planning_backend();
  for (const auto& kernel : best_kernel_table().kernels) {
    CAPTURE(kernel.op);
    for (const Dtype activation : {Dtype::f32, Dtype::bf16}) {
      CAPTURE(name_of(activation));
      CHECK(gpu.has_kernel(kernel.op, activation) == !is_cpu_alone(kernel.op));
    }
  }
  CHECK(!gpu.has_kernel("no op", Dtype::f32));
  // what takes a kernel out of the list
  CHECK(!gpu.policy().fuse_feed_forward);
  // what no program of a CPU has
  CHECK(gpu.policy().fuse_slopes);
  CHECK(gpu.has_kernel("linear_slope", Dtype::bf16));
  CHECK(gpu.policy().join_products);
  CHECK(gpu.has_kernel("joined_linear", Dtype::bf16));
}

TEST_CASE("kernels for GPUs: matrices of every type can be read") {
  if (!has_cuda()) return;
  for (const Dtype stored : {Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::int4_64,
                             Dtype::nf4_32, Dtype::nf4_64, Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k}) {
    CAPTURE(name_of(stored));
    CHECK(cuda_planning_backend().reads(stored));
  }
}

}  // namespace kernels_test
