// Sums over ranks whose bits depend on nothing but the numbers.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/distributed/communicator.h"

namespace preamble {

/// values[i] = ((0 + v_0[i]) + v_1[i]) + ... over the ranks r that contribute, in the order of ranks: the sum that one process makes of the
/// same parts (see `Accumulate`), bit for bit. Each rank adds up its share of the numbers and all exchange the sums, so that 2·(N-1)/N of
/// the numbers pass through each rank's link, whatever N is; small lists are exchanged whole, in one message.
///
///   values       the numbers of this rank, overwritten; as many on every rank
///   contributes  size() flags, equal on every rank; what other ranks hold is not read
///
/// Throws DistributedError.
void sum_over_ranks(Communicator& ranks, std::span<const std::span<float>> values, const std::vector<bool>& contributes,
                    std::string_view what);

/// The same for one number of each rank.
[[nodiscard]] double sum_over_ranks(Communicator& ranks, double value, const std::vector<bool>& contributes, std::string_view what);

}  // namespace preamble
