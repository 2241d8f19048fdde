#include "engine/distributed/ordered_sum.h"

#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/distributed/shared_out.h"
#include "tests/support/rank_threads.h"

namespace ordered_sum_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<float> numbers_of_rank(int rank, std::size_t count) {
  std::mt19937 random(static_cast<std::uint32_t>(rank) + 1);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> numbers(count);
  for (auto& number : numbers) number = normal(random) * 1e3F;
  return numbers;
}

/// What one process adds up, part after part.
std::vector<float> sum_of(const std::vector<bool>& contributes, std::size_t count) {
  std::vector<float> sum(count, 0);
  for (std::size_t r = 0; r < contributes.size(); ++r) {
    if (!contributes[r]) continue;
    const auto numbers = numbers_of_rank(static_cast<int>(r), count);
    for (std::size_t i = 0; i < count; ++i) sum[i] += numbers[i];
  }
  return sum;
}

bool equal_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

TEST_CASE("ordered sum: every rank gets the bits of one process that adds up the parts in order") {
  for (const int size : {1, 2, 3, 4}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{5000}, std::size_t{40001}, (std::size_t{1} << 20U) + 3}) {
      CAPTURE(size);
      CAPTURE(count);
      std::vector<bool> contributes(static_cast<std::size_t>(size), true);
      if (size > 2) contributes[1] = false;
      const auto wanted = sum_of(contributes, count);
      std::vector<std::vector<float>> results(static_cast<std::size_t>(size));
      on_ranks(size, [&](Communicator& rank) {
        auto numbers = numbers_of_rank(rank.rank(), count);
        // two tensors, one of which may be empty
        const std::size_t cut = count / 3;
        const std::vector<std::span<float>> tensors = {std::span(numbers).first(cut), std::span(numbers).subspan(cut)};
        sum_over_ranks(rank, tensors, contributes, "test");
        results[static_cast<std::size_t>(rank.rank())] = numbers;
      });
      for (const auto& result : results) CHECK(equal_bits(result, wanted));
    }
  }
}

TEST_CASE("ordered sum: one number of each rank") {
  on_ranks(3, [](Communicator& rank) {
    const double value = rank.rank() == 0 ? 1e16 : rank.rank() == 1 ? 1 : -1e16;
    const double sum = sum_over_ranks(rank, value, {true, true, true}, "test");
    if (sum != (1e16 + 1) - 1e16) throw DistributedError("wrong sum");
    if (sum_over_ranks(rank, value, {false, true, false}, "test") != 1) throw DistributedError("wrong sum of one");
  });
}

TEST_CASE("ranks: shares cover everything once") {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{8}}) {
    for (const int size : {1, 2, 3, 7}) {
      std::size_t next = 0;
      for (int r = 0; r < size; ++r) {
        const RankShare share = RankShare::of(count, r, size);
        CHECK(share.begin == next);
        CHECK(share.end - share.begin <= count / static_cast<std::size_t>(size) + 1);
        next = share.end;
      }
      CHECK(next == count);
    }
  }
}

TEST_CASE("ranks: answers to shared work come to all in order") {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{6}}) {
    on_ranks(4, [&](Communicator& rank) {
      const auto answers = shared_out(rank, count, 2 * count, "test", [](std::size_t begin, std::size_t end) {
        std::vector<std::string> texts;
        for (std::size_t i = begin; i < end; ++i) {
          texts.push_back(std::string(i, 'a'));
          texts.push_back(std::to_string(i));
        }
        return texts;
      });
      if (answers.size() != 2 * count) throw DistributedError("wrong count");
      for (std::size_t i = 0; i < count; ++i) {
        if (answers[2 * i] != std::string(i, 'a') || answers[2 * i + 1] != std::to_string(i)) throw DistributedError("wrong answer");
      }
    });
  }
}

TEST_CASE("ranks: bytes of any length are gathered and broadcast") {
  on_ranks(3, [](Communicator& rank) {
    const std::vector<std::byte> mine(static_cast<std::size_t>(rank.rank()), std::byte{7});
    const auto all = rank.gather_all(mine, "test");
    for (std::size_t r = 0; r < 3; ++r) {
      if (all.at(r) != std::vector<std::byte>(r, std::byte{7})) throw DistributedError("wrong bytes");
    }
    std::vector<std::byte> text(rank.is_root() ? 5 : 0, std::byte{9});
    if (rank.broadcast_all(text, "test") != std::vector<std::byte>(5, std::byte{9})) throw DistributedError("wrong broadcast");
  });
}

}  // namespace ordered_sum_test
