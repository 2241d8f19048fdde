// Independent work on a list of things, shared out among the ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "engine/core/error.h"
#include "engine/distributed/communicator.h"

namespace preamble {

/// compute(begin, end) -> the answers for batches [begin, end) of `count`; called on every rank that has a share of them. Every rank gets the
/// `answers` answers to all batches, in order. An answer is a string or a vector of numbers. Whole batches are shared out, because the last bits
/// of an answer may depend on what else is in its batch. A collective; on one process it is compute(0, count). Throws DistributedError.
template <class Compute>
[[nodiscard]] auto shared_out(Communicator& ranks, std::size_t count, std::size_t answers, std::string_view what, const Compute& compute) {
  using Answers = decltype(compute(std::size_t{0}, count));
  using Answer = typename Answers::value_type;
  if (ranks.size() == 1) return compute(0, count);
  const RankShare share = RankShare::of(count, ranks.rank(), ranks.size());
  std::vector<std::byte> mine;
  const auto append = [&](const void* data, std::size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(data);
    mine.insert(mine.end(), begin, begin + bytes);
  };
  // a rank without a share takes part all the same
  for (const Answer& answer : share.begin == share.end ? Answers() : compute(share.begin, share.end)) {
    const auto length = static_cast<std::uint64_t>(answer.size());
    append(&length, sizeof length);
    append(answer.data(), answer.size() * sizeof(typename Answer::value_type));
  }
  Answers all;
  all.reserve(answers);
  for (const auto& bytes : ranks.gather_all(mine, what)) {
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint64_t length = 0;
      std::memcpy(&length, bytes.data() + at, sizeof length);
      at += sizeof length;
      Answer& answer = all.emplace_back(static_cast<std::size_t>(length), typename Answer::value_type{});
      std::memcpy(answer.data(), bytes.data() + at, answer.size() * sizeof(typename Answer::value_type));
      at += answer.size() * sizeof(typename Answer::value_type);
    }
  }
  require<DistributedError>(all.size() == answers, "{}: {} answers came from all ranks; wanted {}", what, all.size(), answers);
  return all;
}

}  // namespace preamble
