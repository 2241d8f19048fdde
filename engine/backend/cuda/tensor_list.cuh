// Many tensors in one launch. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/partial_sums.h"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Float32 tensors, `arrays` of each kind side by side, and which blocks of a launch belong to which. Passed by value.
template <int arrays>
struct TensorList {
  static constexpr int kMost = 256;

  float* data[arrays][kMost];
  std::int64_t height[kMost];
  std::int64_t width[kMost];
  std::int32_t end[kMost];  ///< of the tensor's blocks
  int first = 0;            ///< number of the first tensor among those of the op
  int tensors = 0;

  [[nodiscard]] std::int32_t blocks() const noexcept { return tensors > 0 ? end[tensors - 1] : 0; }
  [[nodiscard]] __device__ std::int64_t count(int tensor) const { return height[tensor] * width[tensor]; }

  /// The tensor of a block and the block's number in it.
  struct Found {
    int tensor;
    std::int32_t block;
  };
  [[nodiscard]] __device__ Found find(std::int32_t block) const {
    int low = 0, high = tensors - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (end[middle] <= block) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return {low, low > 0 ? block - end[low - 1] : block};
  }
};

/// Float32 elements of a view. Throws DeviceError for another type.
[[nodiscard]] inline float* floats(const char* name, const View& view) {
  if (view && view.dtype != Dtype::f32) fail(name, ": a value is ", name_of(view.dtype), "; wanted F32");
  return view.as<float>();
}

/// Calls body(list) for lists of the tensors [0, count). `views_of(i)`: the i-th tensor's `arrays` views, the first of which says its size;
/// `blocks_of(view)`: blocks that it needs.
template <int arrays, class ViewsOf, class BlocksOf, class Body>
void for_tensor_lists(const char* name, std::size_t count, const ViewsOf& views_of, const BlocksOf& blocks_of, const Body& body) {
  TensorList<arrays> list;
  for (std::size_t i = 0; i < count; ++i) {
    const auto views = views_of(i);
    const View& shape = views[0];
    const bool matrix = shape.layout == nullptr && shape.dims != nullptr && shape.dims->size() == 2;
    for (int k = 0; k < arrays; ++k) list.data[k][list.tensors] = floats(name, views[static_cast<std::size_t>(k)]);
    list.height[list.tensors] = matrix ? (*shape.dims)[0] : 1;
    list.width[list.tensors] = matrix ? (*shape.dims)[1] : shape.rows * shape.width;
    list.end[list.tensors] = list.blocks() + static_cast<std::int32_t>(blocks_of(shape));
    ++list.tensors;
    if (list.tensors < TensorList<arrays>::kMost && i + 1 < count) continue;
    body(list);
    list.first += list.tensors;
    list.tensors = 0;
  }
}

/// Blocks of `kListBlock` elements.
[[nodiscard]] inline std::int64_t element_blocks(const View& v) { return list_blocks(v.rows * v.width); }

}  // namespace preamble::cuda
