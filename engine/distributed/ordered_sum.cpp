#include "engine/distributed/ordered_sum.h"

#include <algorithm>
#include <cstring>

namespace preamble {
namespace {

/// Numbers that are exchanged at a time: bounds the buffers.
constexpr std::size_t kBlock = std::size_t{1} << 20U;
/// Up to so many numbers in all, one message is faster than two with less in them.
constexpr std::size_t kWhole = std::size_t{1} << 13U;

/// Adds up `size` blocks of `count` numbers that lie `stride` apart, into `sum`.
template <class T>
void add_blocks(const T* blocks, std::size_t stride, std::size_t count, const std::vector<bool>& contributes, T* sum) {
  std::fill_n(sum, count, T{0});
  for (std::size_t r = 0; r < contributes.size(); ++r) {
    if (!contributes[r]) continue;
    const T* block = blocks + r * stride;
    for (std::size_t i = 0; i < count; ++i) sum[i] += block[i];
  }
}

/// Visits the `count` numbers of a list of spans that begin at `first`, piece by piece: `visit(piece, offset)`.
template <class Visit>
void for_range(std::span<const std::span<float>> values, std::size_t first, std::size_t count, const Visit& visit) {
  std::size_t begin = 0;
  for (const auto& span : values) {
    const std::size_t from = std::max(begin, first);
    const std::size_t to = std::min(begin + span.size(), first + count);
    if (from < to) visit(span.subspan(from - begin, to - from), from - first);
    begin += span.size();
  }
}

}  // namespace

void sum_over_ranks(Communicator& ranks, std::span<const std::span<float>> values, const std::vector<bool>& contributes,
                    std::string_view what) {
  const auto size = static_cast<std::size_t>(ranks.size());
  std::size_t total = 0;
  for (const auto& span : values) total += span.size();
  std::vector<float> mine;
  std::vector<float> theirs;
  std::vector<float> sums;
  for (std::size_t first = 0; first < total; first += kBlock) {
    const std::size_t count = std::min(kBlock, total - first);
    const bool whole = count * size <= kWhole;
    const std::size_t share = whole ? count : (count + size - 1) / size;
    mine.assign(whole ? count : share * size, 0);
    for_range(values, first, count, [&](std::span<float> piece, std::size_t at) { std::ranges::copy(piece, mine.begin() + static_cast<std::ptrdiff_t>(at)); });
    theirs.resize(share * size);
    if (whole) {
      ranks.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(theirs)), what);
      sums.resize(count);
      add_blocks(theirs.data(), share, share, contributes, sums.data());
    } else {
      ranks.all_to_all(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(theirs)), what);
      sums.resize(share * size);
      mine.resize(share);
      add_blocks(theirs.data(), share, share, contributes, mine.data());
      ranks.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(sums)), what);
    }
    for_range(values, first, count, [&](std::span<float> piece, std::size_t at) { std::copy_n(sums.begin() + static_cast<std::ptrdiff_t>(at), piece.size(), piece.begin()); });
  }
}

double sum_over_ranks(Communicator& ranks, double value, const std::vector<bool>& contributes, std::string_view what) {
  std::vector<double> all(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(all)), what);
  double sum = 0;
  add_blocks(all.data(), 1, 1, contributes, &sum);
  return sum;
}

}  // namespace preamble
