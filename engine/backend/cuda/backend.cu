#include "engine/backend/cuda/backend.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/executor.h"
#include "engine/backend/cuda/kernel.h"
#include "engine/backend/cuda/memory.h"
#include "engine/backend/cuda/products.h"
#include "engine/backend/cuda/residence.h"
#include "engine/backend/cuda/scratch.h"
#include "engine/backend/cuda/step_clock.h"
#include "engine/ops/attention.h"
#include "engine/runtime/program.h"

namespace preamble {
namespace {

/// What programs of one device share.
struct Device {
  Device(int number, bool allow_tf32) {
    cuda::check(cudaSetDevice(number), "device cuda:", number);
    workspace = cuda::DeviceMemory("products", cuda::Products::kWorkspaceBytes);
    cuda::check(cudaStreamCreateWithFlags(&queue.stream, cudaStreamNonBlocking), "device cuda:", number);
    cuda::check(cudaDeviceGetAttribute(&queue.multiprocessors, cudaDevAttrMultiProcessorCount, number), "device cuda:", number);
    int major = 0;
    cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number), "device cuda:", number);
    queue.has_warpgroups = major == 9;
    products.emplace(queue.stream, workspace.data(), allow_tf32);
    queue.products = &*products;
    queue.clock = &clock;
    residence.emplace(number, queue.stream);
  }

  cuda::DeviceMemory workspace;
  cuda::StepClock clock;
  cuda::Queue queue;
  std::optional<cuda::Products> products;
  std::optional<cuda::CudaResidence> residence;
};

/// Kernels, scratch and policy: all that a plan needs.
class CudaPlanning : public Backend {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "cuda"; }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return "sm_90"; }
  [[nodiscard]] bool has_kernel(std::string_view op, Dtype activation) const noexcept override {
    return cuda::find_kernel(op, activation) != nullptr;
  }
  [[nodiscard]] bool reads(Dtype /*stored*/) const noexcept override { return true; }
  [[nodiscard]] std::int64_t scratch(const NodeCost& cost) const override { return cuda::scratch(cost); }
  /// Heads as wide as the encoder fit no tile of attention; the wide value of a feed-forward part is small beside a GPU's memory, and
  /// whole products are faster.
  [[nodiscard]] CompilePolicy policy() const noexcept override {
    return {.absorb_projections = false, .fuse_feed_forward = false, .keep_attention_outputs = true, .fuse_slopes = true, .join_products = true};
  }
  /// Attention reaches a sixth of the rate of large products (bench/README.md).
  [[nodiscard]] double work(const NodeCost& cost) const override {
    const Op* op = cost.node.op.get();
    const bool is_attention = dynamic_cast<const Attention*>(op) != nullptr || dynamic_cast<const AttentionGrad*>(op) != nullptr;
    return (is_attention ? 6 : 1) * op->flops(cost);
  }
  [[nodiscard]] bool runs_in_place(const Node& node, const Alias& alias) const noexcept override { return cuda::runs_in_place(node, alias); }
  [[nodiscard]] bool reads_columns(const Node& node, std::size_t operand) const noexcept override { return cuda::reads_columns(node, operand); }
  [[nodiscard]] bool writes_columns(const Node& node, std::size_t output) const noexcept override { return cuda::writes_columns(node, output); }
  [[nodiscard]] Residence& residence() const override { cuda::fail("device cuda: there is no device; ", cuda_problem()); }
  [[nodiscard]] std::unique_ptr<Executor> executor(const Program& /*program*/) const override {
    cuda::fail("device cuda: there is no device; ", cuda_problem());
  }
};

class Cuda final : public CudaPlanning {
 public:
  explicit Cuda(int number) : number_(number), name_("cuda:" + std::to_string(number)), device_(number, false) {
    cudaDeviceProp properties{};
    cuda::check(cudaGetDeviceProperties(&properties, number), "device ", name_);
    instruction_set_ = "sm_" + std::to_string(properties.major) + std::to_string(properties.minor);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] cuda::StepClock& clock() const noexcept { return device_.clock; }
  [[nodiscard]] DeviceMemoryUse memory() const {
    device_.residence->forget();
    cuda::check(cudaSetDevice(number_), "device ", name_);
    std::size_t free = 0;
    std::size_t total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "device ", name_);
    return {static_cast<std::int64_t>(free), static_cast<std::int64_t>(total)};
  }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return instruction_set_; }
  [[nodiscard]] Residence& residence() const override { return *device_.residence; }
  [[nodiscard]] cudaStream_t stream() const { return device_.queue.stream; }
  [[nodiscard]] std::unique_ptr<Executor> executor(const Program& program) const override {
    require_room(program);
    return std::make_unique<cuda::CudaExecutor>(program, number_, device_.queue, *device_.residence);
  }

 private:
  /// Refuses a plan that does not fit before anything runs.
  void require_room(const Program& program) const {
    device_.residence->forget();
    cuda::check(cudaSetDevice(number_), "device ", name_);
    std::size_t free = 0;
    std::size_t total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "device ", name_);
    std::int64_t leaves = 0;
    std::set<const void*> seen;
    for (const auto& node : program.graph().nodes()) {
      if (node.op || node.role == Role::input || !seen.insert(node.tensor.data()).second || device_.residence->holds(node.tensor)) continue;
      leaves += static_cast<std::int64_t>(node.tensor.bytes());
    }
    const auto room = static_cast<std::int64_t>(free);
    if (leaves + program.arena_bytes() > room) {
      cuda::fail("device ", name_, ": the plan needs ", program.arena_bytes(), " bytes for activations and ", leaves, " for weights; ", free,
                 " of ", total, " are free: wanted a smaller batch or --memory-budget ", std::max<std::int64_t>(room - leaves, 0));
    }
  }

  int number_;
  std::string name_;
  std::string instruction_set_;
  mutable Device device_;
};

const Cuda& device_of(const Backend& backend) {
  const auto* device = dynamic_cast<const Cuda*>(&backend);
  if (device == nullptr) cuda::fail("device ", backend.name(), ": is no GPU");
  return *device;
}

}  // namespace

bool has_cuda() noexcept { return true; }

int cuda_device_count() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

std::string cuda_problem() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess) return count > 0 ? "" : "the driver sees no GPU";
  cudaGetLastError();
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0) return "no NVIDIA driver is installed";
    const auto version = [](int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); };
    return "the NVIDIA driver supports CUDA " + version(driver) + "; this build wants " + version(CUDART_VERSION) + " or newer";
  }
  return cudaGetErrorString(status);
}

const Backend& cuda_backend(int device) {
  static std::mutex mutex;
  // never destroyed: at the end of a process the driver goes first
  static auto& backends = *new std::vector<std::unique_ptr<Cuda>>;
  const int count = cuda_device_count();
  if (count <= 0) cuda::fail("device cuda:", device, ": ", cuda_problem());
  if (device < 0 || device >= count) cuda::fail("device cuda:", device, ": there are ", count, " GPUs; wanted a number below that");
  const std::lock_guard lock(mutex);
  backends.resize(static_cast<std::size_t>(count));
  auto& backend = backends[static_cast<std::size_t>(device)];
  if (!backend) backend = std::make_unique<Cuda>(device);
  return *backend;
}

void* cuda_stream(const Backend& backend) { return device_of(backend).stream(); }

DeviceMemoryUse cuda_memory(const Backend& backend) { return device_of(backend).memory(); }

void time_cuda_steps(const Backend& backend, bool on) { device_of(backend).clock().turn(on); }

std::vector<StepTime> cuda_step_times(const Backend& backend) { return device_of(backend).clock().take(); }

const Backend& cuda_planning_backend() {
  static const CudaPlanning backend;
  return backend;
}

}  // namespace preamble
