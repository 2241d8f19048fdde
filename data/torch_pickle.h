// The tensors that the pickle of a torch state dict describes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/pickle.h"
#include "engine/core/dtype.h"
#include "engine/core/tensor.h"

namespace preamble {

/// A block of numbers that the file stores under a key of its own; tensors may share one.
struct TorchStorage {
  std::string_view key;
  Dtype dtype = Dtype::f32;
  std::int64_t count = 0;
};

/// A tensor as a view of a storage; counts, offsets and strides in elements.
struct TorchTensor {
  std::string name;
  TorchStorage storage;
  std::int64_t offset = 0;
  Dims dims;
  /// Empty if the view is row-major and contiguous.
  Dims strides;
};

/// The tensors of a state dict: the root must be a dict of names and tensors, or hold one under `state_dict`, `model_state_dict`,
/// `model` or `module` (DeepSpeed), as training scripts save it beside an epoch and an optimizer. All of every view lies inside its storage,
/// and none repeats an element (so that a copy is never larger than the file). Texts point into the bytes of the pickle.
/// Throws FileError, beginning with `where`, if something is no tensor or does not fit its storage.
[[nodiscard]] std::vector<TorchTensor> tensors_of(const Pickle& pickle, const std::string& where);

/// The type of each storage that the pickle mentions, those of no tensor of the state dict included.
[[nodiscard]] std::map<std::string_view, Dtype> storages_of(const Pickle& pickle, const std::string& where);

}  // namespace preamble
