// Which keys of a segment a query sees. Also compiled for the host.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/host_device.h"

namespace preamble::cuda {

/// Keys that a segment of queries may see, one behind the other: rows of P, then rows of K.
struct SegmentKeys {
  std::int32_t prefix_first, prefixes;
  std::int32_t first, count;
  std::int32_t context;  ///< own keys at positions below it are visible to all queries
};

/// A query sees keys [first_key, last_key) of its segment, prefix keys first, if there are any between them.
struct KeyRange {
  const std::int32_t* positions = nullptr;  ///< of the rows of K
  std::int32_t window = 0;
  bool causal = false, keys_in_front = false;

  /// Own keys that stand at `position` or before: the first ones of their segment.
  [[nodiscard]] PREAMBLE_HOST_AND_DEVICE std::int32_t keys_until(const SegmentKeys& s, std::int32_t position) const {
    if (s.count == 0) return 0;
    if (keys_in_front) return within(position + 1 + s.count, s.count);
    const std::int32_t* at = positions + s.first;
    // the positions of most segments have no gaps: the guess is right
    const std::int32_t guess = within(position - at[0] + 1, s.count);
    if ((guess == 0 || at[guess - 1] <= position) && (guess == s.count || at[guess] > position)) return guess;
    std::int32_t low = 0;
    std::int32_t high = s.count;
    while (low < high) {
      const std::int32_t middle = (low + high) / 2;
      if (at[middle] <= position) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  [[nodiscard]] PREAMBLE_HOST_AND_DEVICE std::int32_t last_key(const SegmentKeys& s, std::int32_t at_query) const {
    return s.prefixes + (causal ? keys_until(s, at_query > s.context - 1 ? at_query : s.context - 1) : s.count);
  }
  /// 0 without a window. Does not fall from one query of a segment to the next.
  [[nodiscard]] PREAMBLE_HOST_AND_DEVICE std::int32_t first_key(const SegmentKeys& s, std::int32_t at_query) const {
    if (window == 0) return 0;
    const std::int32_t last = at_query - window;  // position of the last key that has left the window
    const std::int32_t own = keys_until(s, last);
    return own > 0 ? s.prefixes + own : within(last + 1 + s.prefixes, s.prefixes);
  }

 private:
  [[nodiscard]] static PREAMBLE_HOST_AND_DEVICE std::int32_t within(std::int32_t x, std::int32_t most) {
    return x < 0 ? 0 : x < most ? x : most;
  }
};

}  // namespace preamble::cuda
