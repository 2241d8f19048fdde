#include "engine/backend/cuda/residence.h"

#include <numeric>

#include "engine/backend/cuda/check.h"

namespace preamble::cuda {

CudaResidence::Copy* CudaResidence::find(Copies& copies, const Tensor& tensor, std::size_t bytes) {
  const auto found = copies.find(tensor.data());
  // another tensor may have come to the address of one that is gone
  return found == copies.end() || found->second.owner.expired() || found->second.bytes < bytes ? nullptr : &found->second;
}

CudaResidence::Copy* CudaResidence::find_narrow(const Tensor& tensor) {
  return find(narrow_, tensor, static_cast<std::size_t>(tensor.count()) * size_of(Dtype::bf16));
}

void CudaResidence::make_together(Copies& copies, std::span<const Tensor> tensors, std::span<const std::size_t> bytes) const {
  check(cudaSetDevice(device_), "device cuda:", device_);
  const auto block = std::make_shared<DeviceMemory>("weights", std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}));
  std::byte* next = block->data();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Copy& copy = copies[tensors[i].data()];
    copy.owner = tensors[i].owner();
    copy.memory = block;
    copy.data = next;
    copy.bytes = bytes[i];
    next += bytes[i];
  }
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
  std::vector<std::size_t> bytes;
  for (const auto& tensor : tensors) {
    if (find(tensor) != nullptr) return;
    bytes.push_back(tensor.bytes());
  }
  erase_expired();
  make_together(copies_, tensors, bytes);
  for (const auto& tensor : tensors) copy_in(*find(tensor), tensor);
}

std::vector<void*> CudaResidence::hold_narrow(std::span<const Tensor> tensors) {
  const std::lock_guard lock(mutex_);
  std::vector<Tensor> missing;
  std::vector<std::size_t> bytes;
  for (const auto& tensor : tensors) {
    if (find_narrow(tensor) != nullptr) continue;
    missing.push_back(tensor);
    bytes.push_back(static_cast<std::size_t>(tensor.count()) * size_of(Dtype::bf16));
  }
  erase_expired();
  if (!missing.empty()) make_together(narrow_, missing, bytes);
  for (const auto& tensor : missing) copy_in(*find_narrow(tensor), tensor.to(Dtype::bf16));
  std::vector<void*> copies;
  for (const auto& tensor : tensors) copies.push_back(find_narrow(tensor)->data);
  return copies;
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
  for (Copies* copies : {&copies_, &narrow_}) std::erase_if(*copies, [](const auto& entry) { return entry.second.owner.expired(); });
}

void CudaResidence::forget() {
  const std::lock_guard lock(mutex_);
  erase_expired();
}

void CudaResidence::upload(const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  if (const Copy* copy = find(tensor)) copy_in(*copy, tensor);
  if (const Copy* copy = find_narrow(tensor)) copy_in(*copy, tensor.to(Dtype::bf16));
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
