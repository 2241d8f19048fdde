#include "engine/backend/cuda/nccl.h"

namespace preamble {

std::unique_ptr<DeviceSum> nccl_sum(const Backend& /*backend*/, Communicator& /*ranks*/) { return nullptr; }

}  // namespace preamble
