#include "engine/backend/cuda/memory.h"

#include <algorithm>
#include <utility>

#include "engine/backend/cuda/check.h"

namespace preamble::cuda {

DeviceMemory::DeviceMemory(std::string_view what, std::size_t bytes) : bytes_(std::max<std::size_t>(bytes, 1)) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes_);
  if (status != cudaSuccess) {
    cudaGetLastError();  // not to be found by the next launch
    std::size_t free = 0;
    std::size_t total = 0;
    cudaMemGetInfo(&free, &total);
    check(status, what, ": ", bytes_, " bytes of device memory were asked for; ", free, " of ", total, " are free");
  }
  data_ = static_cast<std::byte*>(memory);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

// errors at the end of a process, when the driver may be gone, concern nobody
DeviceMemory::~DeviceMemory() { cudaFree(data_); }

PinnedMemory::PinnedMemory(std::string_view what, std::size_t bytes) : bytes_(std::max<std::size_t>(bytes, 1)) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes_), what, ": ", bytes_, " bytes of page-locked memory");
  data_ = static_cast<std::byte*>(memory);
}

PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PinnedMemory::~PinnedMemory() { cudaFreeHost(data_); }

}  // namespace preamble::cuda
