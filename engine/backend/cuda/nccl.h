// Sums over GPUs by NCCL.
#pragma once

#include <memory>

#include "engine/backend/backend.h"
#include "engine/distributed/device_sum.h"

namespace preamble {

/// A collective: all ranks call it. Null on all of them where it cannot be: programs run on a CPU, two ranks share a GPU (unless
/// NCCL_MULTI_RANK_GPU_ENABLE=1 says that NCCL may), or there is no NCCL (the library is looked for when this is called). Throws DistributedError if NCCL refuses.
[[nodiscard]] std::unique_ptr<DeviceSum> nccl_sum(const Backend& backend, Communicator& ranks);

}  // namespace preamble
