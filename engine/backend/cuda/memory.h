// Memory of a GPU, and host memory that it copies from. Included by .cu files alone.
#pragma once

#include <cstddef>
#include <string_view>

namespace preamble::cuda {

/// A block of device memory.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  /// Throws DeviceError in the name of `what`, with the bytes asked for and those that are free.
  DeviceMemory(std::string_view what, std::size_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A block of page-locked host memory: copies to and from it do not stop the host.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  /// Throws DeviceError in the name of `what`.
  PinnedMemory(std::string_view what, std::size_t bytes);
  PinnedMemory(PinnedMemory&& other) noexcept;
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  ~PinnedMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace preamble::cuda
