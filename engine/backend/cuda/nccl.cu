#include "engine/backend/cuda/nccl.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>
#include <unistd.h>

#include "engine/backend/cuda/backend.h"
#include "engine/backend/cuda/check.h"
#include "engine/distributed/deadline.h"
#include "engine/distributed/launch.h"
#include "engine/distributed/waiting_time.h"
#include "engine/distributed/watchdog.h"

namespace preamble {
namespace {

/// The functions of NCCL, from the library of this machine: a program without several GPUs starts without it.
struct Nccl {
  Nccl() {
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto load = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      complete = complete && function != nullptr;
    };
    complete = true;
    load(get_unique_id, "ncclGetUniqueId");
    load(comm_init_rank, "ncclCommInitRank");
    load(comm_abort, "ncclCommAbort");
    load(comm_destroy, "ncclCommDestroy");
    load(comm_get_async_error, "ncclCommGetAsyncError");
    load(get_error_string, "ncclGetErrorString");
    load(all_reduce, "ncclAllReduce");
    load(group_start, "ncclGroupStart");
    load(group_end, "ncclGroupEnd");
  }

  bool complete = false;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRank) comm_init_rank = nullptr;
  decltype(&ncclCommAbort) comm_abort = nullptr;
  decltype(&ncclCommDestroy) comm_destroy = nullptr;
  decltype(&ncclCommGetAsyncError) comm_get_async_error = nullptr;
  decltype(&ncclGetErrorString) get_error_string = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclGroupStart) group_start = nullptr;
  decltype(&ncclGroupEnd) group_end = nullptr;
};

const Nccl& nccl() {
  static const Nccl library;
  return library;
}

void check(ncclResult_t status, const std::string& what) {
  if (status != ncclSuccess) throw DistributedError(what + ": NCCL: " + nccl().get_error_string(status));
}

class NcclSum final : public DeviceSum {
 public:
  NcclSum(const Backend& backend, Communicator& ranks, int device)
      : backend_(backend),
        ranks_(ranks),
        device_(device),
        watchdog_(ranks.patience() + kLeaving, "rank " + std::to_string(ranks.rank()) + ": a sum over GPUs did not end; a rank is missing") {
    ncclUniqueId id{};
    if (ranks.is_root()) check(nccl().get_unique_id(&id), "joining the GPUs");
    ranks.broadcast(std::as_writable_bytes(std::span(&id, 1)), "joining the GPUs");
    cuda::check(cudaSetDevice(device), "device cuda:", device);
    {
      const Deadline deadline(ranks.patience() + turn_of(ranks.rank()), "rank " + std::to_string(ranks.rank()) + ": not all GPUs joined within " +
                                                                            std::to_string(ranks.patience().count() / 1000) + " s; a rank hangs");
      check(nccl().comm_init_rank(&comm_, ranks.size(), id, ranks.rank()), "joining the GPUs");
    }
    cuda::check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "event");
  }
  ~NcclSum() override {
    watchdog_.begin();
    if (comm_ != nullptr) nccl().comm_destroy(comm_);
    cudaEventDestroy(done_);
    watchdog_.end();
  }

  void begin(std::span<const Tensor> tensors, bool contributes) override {
    watchdog_.begin();
    if (contributes) return;
    cuda::check(cudaSetDevice(device_), "device cuda:", device_);
    for (const auto& tensor : tensors) cuda::check(cudaMemsetAsync(memory_of(tensor), 0, tensor.bytes(), stream()), "sum over GPUs");
  }

  void enqueue(std::span<const Tensor> tensors) override {
    check(nccl().group_start(), "sum over GPUs");
    for (const auto& tensor : tensors) {
      void* data = memory_of(tensor);
      const ncclDataType_t type = tensor.dtype() == Dtype::f64 ? ncclDouble : ncclFloat;
      check(nccl().all_reduce(data, data, static_cast<std::size_t>(tensor.count()), type, ncclSum, comm_, stream()), "sum over GPUs");
    }
    check(nccl().group_end(), "sum over GPUs");
  }

  void wait(const std::function<void()>& give_up) override {
    cuda::check(cudaEventRecord(done_, stream()), "sum over GPUs");
    poll(give_up);
    watchdog_.end();
  }

 private:
  /// Time to leave after a rank has been missed.
  static constexpr std::chrono::seconds kLeaving{10};

  [[nodiscard]] cudaStream_t stream() const { return static_cast<cudaStream_t>(cuda_stream(backend_)); }
  [[nodiscard]] void* memory_of(const Tensor& tensor) const { return backend_.residence().hold(tensor); }

  /// A kernel of NCCL waits for its peers without an end: the host looks at the clock.
  void poll(const std::function<void()>& give_up) {
    WaitingTime waiting;
    for (;;) {
      const cudaError_t status = cudaEventQuery(done_);
      if (status == cudaSuccess) return;
      if (status != cudaErrorNotReady) cuda::check(status, "sum over GPUs");
      ncclResult_t error = ncclSuccess;
      check(nccl().comm_get_async_error(comm_, &error), "sum over GPUs");
      const auto waited = waiting.passed();
      if (error != ncclSuccess || waited > ranks_.patience()) {
        give_up();
        leave(error);
      }
      // the step itself is still at work: milliseconds
      if (waited > std::chrono::milliseconds(1)) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  /// Ends the waiting kernel. That, too, may wait for a peer that stands still: the watchdog ends the process then.
  [[noreturn]] void leave(ncclResult_t error) {
    nccl().comm_abort(comm_);
    comm_ = nullptr;
    check(error, "sum over GPUs");
    throw DistributedError("sum over GPUs: not done within " + std::to_string(ranks_.patience().count() / 1000) + " s; a rank is missing");
  }

  const Backend& backend_;
  Communicator& ranks_;
  int device_;
  Watchdog watchdog_;  ///< of calls of NCCL that do not come back
  ncclComm_t comm_ = nullptr;
  cudaEvent_t done_ = nullptr;
};

/// Host and bus number of a GPU: what two ranks must not share.
std::array<char, 320> place_of(int device) {
  std::array<char, 320> place{};
  gethostname(place.data(), 256);
  if (device >= 0) cudaDeviceGetPCIBusId(place.data() + 256, 64, device);
  return place;
}

}  // namespace

std::unique_ptr<DeviceSum> nccl_sum(const Backend& backend, Communicator& ranks) {
  const std::string name(backend.name());
  const bool gpu = name.rfind("cuda:", 0) == 0;
  const int device = gpu ? std::stoi(name.substr(5)) : -1;
  // all ranks decide alike: each sees what all others have
  struct Offer {
    std::int32_t able = 0;
    std::int32_t may_share = 0;
    std::array<char, 320> place{};
  };
  // NCCL 2.30 and later sum over ranks of one GPU where this is set; earlier ones refuse
  const char* sharing = std::getenv("NCCL_MULTI_RANK_GPU_ENABLE");
  const bool may_share = sharing != nullptr && std::string_view(sharing) == "1";
  Offer mine{gpu && nccl().complete ? 1 : 0, may_share ? 1 : 0, place_of(device)};
  std::vector<Offer> offers(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(offers)), "joining the GPUs");
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (offers[i].able == 0) return nullptr;
    for (std::size_t k = 0; k < i; ++k) {
      if (offers[k].place == offers[i].place && offers[i].may_share == 0) return nullptr;
    }
  }
  return std::make_unique<NcclSum>(backend, ranks, device);
}

}  // namespace preamble
