// Host tensors on a GPU. Included by .cu files alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/memory.h"
#include "engine/backend/residence.h"

namespace preamble::cuda {

class CudaResidence final : public Residence {
 public:
  CudaResidence(int device, cudaStream_t stream) : device_(device), stream_(stream) {}

  [[nodiscard]] void* hold(const Tensor& tensor) override;
  void upload(const Tensor& tensor) override;
  void download(Tensor& tensor) override;

  /// Makes the copies of tensors one behind the other, unless one of them is on the device already. Each is freed with the last of them.
  void hold_together(std::span<const Tensor> tensors);

  /// Copies of float32 tensors as bf16, for kernels that read them so in every run: one behind the other, unless there is such a copy of one of them.
  /// `upload` keeps them up to date.
  [[nodiscard]] std::vector<void*> hold_narrow(std::span<const Tensor> tensors);

  /// A tensor that was made of device memory itself, which its owner keeps: it is its own copy.
  void adopt(const Tensor& tensor);

  /// Frees the copies of tensors that are gone.
  void forget();

  /// True if the tensor is on the device already.
  [[nodiscard]] bool holds(const Tensor& tensor);

 private:
  struct Copy {
    std::weak_ptr<const void> owner;
    std::shared_ptr<DeviceMemory> memory;  ///< of one copy or of several; null for a tensor that was adopted
    std::byte* data = nullptr;
    std::size_t bytes = 0;
  };

  using Copies = std::map<const void*, Copy>;

  /// The copy of the tensor among those that are as large, or null; with `mutex_` held.
  static Copy* find(Copies& copies, const Tensor& tensor, std::size_t bytes);
  Copy* find(const Tensor& tensor) { return find(copies_, tensor, tensor.bytes()); }
  Copy* find_narrow(const Tensor& tensor);
  /// Copies of so many bytes each in one block.
  void make_together(Copies& copies, std::span<const Tensor> tensors, std::span<const std::size_t> bytes) const;
  void erase_expired();
  void copy_in(const Copy& copy, const Tensor& tensor) const;

  int device_;
  cudaStream_t stream_;
  Copies copies_;
  Copies narrow_;  ///< as bf16, by the address of the float32 tensor
  std::mutex mutex_;
};

}  // namespace preamble::cuda
