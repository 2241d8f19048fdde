// Low-data settings: which items of a data set are kept.
#pragma once

#include <cstdint>
#include <vector>

namespace preamble {

/// Numbers of `count` of `total` items drawn without replacement by `seed`, in ascending order. Throws ConfigError unless
/// 1 <= count <= total.
[[nodiscard]] std::vector<std::uint32_t> sample_of(std::int64_t total, std::int64_t count, std::uint64_t seed);

}  // namespace preamble
