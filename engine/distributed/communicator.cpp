#include "engine/distributed/communicator.h"

#include <algorithm>
#include <cstring>

namespace preamble {
namespace {

SingleProcess single_process;
Communicator* current = &single_process;

}  // namespace

std::vector<std::int64_t> Communicator::gather_numbers(std::int64_t mine, std::string_view what) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(size()));
  all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(numbers)), what);
  return numbers;
}

std::vector<std::vector<std::byte>> Communicator::gather_all(std::span<const std::byte> mine, std::string_view what) {
  const auto lengths = gather_numbers(static_cast<std::int64_t>(mine.size()), what);
  const auto longest = static_cast<std::size_t>(*std::ranges::max_element(lengths));
  std::vector<std::byte> padded(mine.begin(), mine.end());
  padded.resize(longest);
  std::vector<std::byte> all(longest * lengths.size());
  all_gather(padded, all, what);
  std::vector<std::vector<std::byte>> parts;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    const auto part = std::span(all).subspan(r * longest, static_cast<std::size_t>(lengths[r]));
    parts.emplace_back(part.begin(), part.end());
  }
  return parts;
}

std::vector<std::byte> Communicator::broadcast_all(std::vector<std::byte> bytes, std::string_view what) {
  auto length = static_cast<std::int64_t>(bytes.size());
  broadcast(std::as_writable_bytes(std::span(&length, 1)), what);
  bytes.resize(static_cast<std::size_t>(length));
  broadcast(bytes, what);
  return bytes;
}

void SingleProcess::all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view /*what*/) {
  std::ranges::copy(mine, all.begin());
}

void SingleProcess::all_to_all(std::span<const std::byte> send, std::span<std::byte> receive, std::string_view /*what*/) {
  std::ranges::copy(send, receive.begin());
}

Communicator& world() noexcept { return *current; }
void set_world(Communicator& communicator) noexcept { current = &communicator; }

RankShare RankShare::of(std::size_t count, int rank, int size) noexcept {
  const auto r = static_cast<std::size_t>(rank);
  const std::size_t base = count / static_cast<std::size_t>(size);
  const std::size_t longer = count % static_cast<std::size_t>(size);
  const std::size_t begin = r * base + std::min(r, longer);
  return {begin, begin + base + (r < longer ? 1 : 0)};
}

}  // namespace preamble
