// How `linear_cross_entropy` cuts its logits and lays out its scratch memory: planned from capacities, used with the bounds of a run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cuda/partial_sums.h"
#include "engine/core/dtype.h"

namespace preamble::cuda {

struct LossSizes {
  std::int64_t rows = 0, width = 0, vocabulary = 0;
  Dtype activation = Dtype::f32;
  Dtype weight = Dtype::f32;
  bool differentiates_bias = false;
};

/// Regions in bytes, in their order.
struct LossScratch {
  /// Parts of the bias gradient of a chunk.
  static constexpr std::int64_t kBiasParts = 16;

  std::int64_t chunk = 0;   ///< rows of logits that exist at a time
  std::int64_t stride = 0;  ///< float32 numbers from row to row of logits: rows of their gradient are aligned too
  std::int64_t terms = 0;   ///< the loss of each row
  std::int64_t logits = 0;  ///< float32; later their gradient in the type of activations, in the same memory
  std::int64_t weight = 0;  ///< w in the type of activations, if it is stored in another
  std::int64_t bias_parts = 0;

  [[nodiscard]] std::int64_t bytes() const noexcept { return terms + logits + weight + bias_parts; }

  [[nodiscard]] static LossScratch of(const LossSizes& s) {
    // dx has few columns: its products fill a GPU from some thousand rows on; 512 MiB of logits hold enough rows for all vocabularies
    constexpr std::int64_t kMostLogits = std::int64_t{1} << 27, kTile = 128, kMostRows = 2048;
    LossScratch scratch;
    scratch.stride = (s.vocabulary + 7) / 8 * 8;
    scratch.chunk = std::min({s.rows, kMostRows, std::max(kTile, kMostLogits / scratch.stride / kTile * kTile)});
    scratch.terms = scratch_bytes(s.rows * static_cast<std::int64_t>(sizeof(double)));
    scratch.logits = scratch_bytes(scratch.chunk * scratch.stride * static_cast<std::int64_t>(sizeof(float)));
    if (s.weight != s.activation) scratch.weight = scratch_bytes(s.vocabulary * s.width * static_cast<std::int64_t>(size_of(s.activation)));
    if (s.differentiates_bias) scratch.bias_parts = scratch_bytes(kBiasParts * s.vocabulary * static_cast<std::int64_t>(sizeof(float)));
    return scratch;
  }
};

}  // namespace preamble::cuda
