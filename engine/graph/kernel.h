// What a kernel gets. Kernels overwrite their outputs, and do not check, allocate, log or throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/core/rows.h"
#include "engine/graph/type.h"

namespace preamble {

class Op;

/// One operand or result at run time. `data` is null for an absent operand and for an output that nobody reads.
struct View {
  void* data = nullptr;
  Dtype dtype = Dtype::f32;
  /// Rows of this run; 1 without a row space.
  std::int64_t rows = 1;
  /// Elements of a row.
  std::int64_t width = 0;
  /// Null without a row space.
  const RowLayout* layout = nullptr;
  /// Dimensions behind the row axis.
  const Dims* dims = nullptr;

  explicit operator bool() const noexcept { return data != nullptr; }
  template <class T>
  [[nodiscard]] T* as() const noexcept {
    return static_cast<T*>(data);
  }
  [[nodiscard]] std::int64_t count() const noexcept { return rows * width; }
};

struct KernelArguments {
  const Op& op;
  std::span<const View> in;
  std::span<const View> out;
  std::byte* workspace;
  std::int64_t workspace_bytes;  ///< what was planned for the op or more; results may not depend on how much more
  /// Segments at which the parts of the batch begin, and their number; empty: one part. See `Session::parts`.
  std::span<const std::int32_t> parts = {};
  /// The program has gradients. A value may then be made again by another op than the one that made it first, so the sums of products have one
  /// order, however few their rows are.
  bool differentiates = false;
};

using Kernel = void (*)(const KernelArguments&);

}  // namespace preamble
