#include "engine/backend/cuda/residence.h"

#include "engine/backend/cuda/check.h"

namespace preamble::cuda {

CudaResidence::Copy* CudaResidence::find(const Tensor& tensor) {
  const auto found = copies_.find(tensor.data());
  // another tensor may have come to the address of one that is gone
  return found == copies_.end() || found->second.owner.expired() || found->second.bytes < tensor.bytes() ? nullptr : &found->second;
}

void CudaResidence::copy_in(const Copy& copy, const Tensor& tensor) const {
  check(cudaSetDevice(device_), "device cuda:", device_);
  // the driver copies pageable memory piece by piece through buffers of its own: a mapped file is never in host memory as a whole
  check(cudaMemcpyAsync(copy.data, tensor.data(), tensor.bytes(), cudaMemcpyHostToDevice, stream_), "upload of ", tensor.bytes(), " bytes");
  check(cudaStreamSynchronize(stream_), "upload of ", tensor.bytes(), " bytes");
}

void* CudaResidence::hold(const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  if (const Copy* copy = find(tensor)) return copy->data;
  erase_expired();
  check(cudaSetDevice(device_), "device cuda:", device_);
  Copy& copy = copies_[tensor.data()];
  copy.owner = tensor.owner();
  copy.memory = std::make_shared<DeviceMemory>("weights", tensor.bytes());
  copy.data = copy.memory->data();
  copy.bytes = copy.memory->bytes();
  copy_in(copy, tensor);
  return copy.data;
}

void CudaResidence::hold_together(std::span<const Tensor> tensors) {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& tensor : tensors) {
    if (find(tensor) != nullptr) return;
    bytes += tensor.bytes();
  }
  erase_expired();
  check(cudaSetDevice(device_), "device cuda:", device_);
  const auto block = std::make_shared<DeviceMemory>("weights", bytes);
  std::byte* next = block->data();
  for (const auto& tensor : tensors) {
    Copy& copy = copies_[tensor.data()];
    copy.owner = tensor.owner();
    copy.memory = block;
    copy.data = next;
    copy.bytes = tensor.bytes();
    copy_in(copy, tensor);
    next += tensor.bytes();
  }
}

void CudaResidence::adopt(const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  Copy& copy = copies_[tensor.data()];
  copy.owner = tensor.owner();
  copy.memory = nullptr;
  copy.data = static_cast<std::byte*>(const_cast<void*>(tensor.data()));
  copy.bytes = tensor.bytes();
}

void CudaResidence::erase_expired() {
  std::erase_if(copies_, [](const auto& entry) { return entry.second.owner.expired(); });
}

void CudaResidence::forget() {
  const std::lock_guard lock(mutex_);
  erase_expired();
}

void CudaResidence::upload(const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  if (const Copy* copy = find(tensor)) copy_in(*copy, tensor);
}

void CudaResidence::download(Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  const Copy* copy = find(tensor);
  if (copy == nullptr) return;
  check(cudaSetDevice(device_), "device cuda:", device_);
  check(cudaMemcpyAsync(tensor.data(), copy->data, tensor.bytes(), cudaMemcpyDeviceToHost, stream_), "download of ", tensor.bytes(), " bytes");
  check(cudaStreamSynchronize(stream_), "download of ", tensor.bytes(), " bytes");
}

bool CudaResidence::holds(const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  return find(tensor) != nullptr;
}

}  // namespace preamble::cuda
