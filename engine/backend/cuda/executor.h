// Programs on a GPU. Included by .cu files alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/kernel.h"
#include "engine/backend/cuda/layout_block.h"
#include "engine/backend/cuda/memory.h"
#include "engine/backend/cuda/residence.h"
#include "engine/backend/executor.h"
#include "engine/runtime/program.h"

namespace preamble::cuda {

/// What the steps of a run are captured in: launched as one, for all batches whose row counts have the same bounds.
class CapturedSteps {
 public:
  CapturedSteps() = default;
  /// Takes over what was captured. Throws DeviceError.
  explicit CapturedSteps(cudaGraph_t graph);
  CapturedSteps(CapturedSteps&& other) noexcept;
  CapturedSteps& operator=(CapturedSteps&& other) noexcept;
  CapturedSteps(const CapturedSteps&) = delete;
  CapturedSteps& operator=(const CapturedSteps&) = delete;
  ~CapturedSteps();

  [[nodiscard]] bool empty() const noexcept { return executable_ == nullptr; }
  void launch(cudaStream_t stream) const;

 private:
  cudaGraphExec_t executable_ = nullptr;
};

/// Inputs and layouts travel in one copy from page-locked memory, of which there are two blocks: the host fills one while the device reads
/// the other. Launch sizes are bounds of the row counts; the first run for some bounds launches kernel by kernel (products choose their
/// algorithms then), the second one is captured, and later ones are launched as a graph.
class CudaExecutor final : public Executor {
 public:
  CudaExecutor(const Program& program, int device, const Queue& queue, CudaResidence& residence);
  ~CudaExecutor() override;

  [[nodiscard]] void* staging(const Location& input) override;
  void set_layouts(std::span<const RowLayout> layouts) override;
  void set_prologue(std::function<void()> enqueue) override;
  void drop_captured() override { graphs_.clear(); }
  void run() override;
  void run_step(std::size_t step) override;
  [[nodiscard]] Tensor share(const Location& value) override;
  [[nodiscard]] const void* fetch(const Location& value, std::size_t bytes) override;

 private:
  static constexpr std::size_t kBlocks = 2;
  /// Most graphs that are kept; the one that was used longest ago goes first.
  static constexpr std::size_t kMostGraphs = 64;

  struct Captured {
    CapturedSteps steps;
    bool seen = false;
    std::uint64_t used = 0;
  };

  [[nodiscard]] std::byte* memory_of(const Location& location) const;
  [[nodiscard]] View view(const Location& location) const;
  /// Calls the prologue; what views say is that of the present batch from here on.
  void begin_steps();
  void upload_inputs();
  void launch_steps();
  void launch_step(std::size_t step);
  void run_timed();
  void wait_for(std::size_t block);
  Captured& captured();

  const Program& program_;
  int device_;
  const Queue& queue_;
  CudaResidence& residence_;
  /// A bias that a step reads as bf16, though its leaf is float32.
  struct NarrowBias {
    std::size_t step, operand;
    void* data;
  };
  void hold_narrow_biases(std::size_t step);

  std::vector<std::byte*> leaves_;        ///< by node
  std::vector<NarrowBias> narrow_biases_;
  std::vector<std::size_t> input_at_;     ///< by node: offset in the block of inputs
  LayoutBlock layout_block_;
  std::size_t block_bytes_ = 0;           ///< layouts, then inputs
  std::shared_ptr<DeviceMemory> arena_;
  DeviceMemory block_;
  std::array<PinnedMemory, kBlocks> host_blocks_;
  std::array<cudaEvent_t, kBlocks> copied_{};
  std::size_t current_ = 0;
  std::map<std::pair<std::int32_t, std::int32_t>, PinnedMemory> fetched_;  ///< by value: copies last until the next run
  std::function<void()> prologue_;
  std::vector<Launch> kernels_;
  std::vector<RowLayout> layouts_;
  std::vector<std::int64_t> bounds_;  ///< of rows, by row space
  std::map<std::vector<std::int64_t>, Captured> graphs_;
  std::uint64_t runs_ = 0;
  std::vector<std::vector<View>> in_, out_;
};

}  // namespace preamble::cuda
