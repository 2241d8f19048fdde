#include "engine/core/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/threads.h"

namespace parallel_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Blocks = std::vector<std::pair<std::int64_t, std::int64_t>>;

Blocks blocks_of(std::int64_t count, std::int64_t grain) {
  Blocks blocks;
  std::mutex mutex;
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard lock(mutex);
    blocks.emplace_back(begin, end);
  });
  std::ranges::sort(blocks);
  return blocks;
}

}  // namespace

TEST_CASE("parallel_for: the partition depends on count and grain alone") {
  const Blocks expected = {{0, 4}, {4, 8}, {8, 10}};
  for (const int threads : {1, 2, 3, 8}) {
    const Threads limit(threads);
    CHECK(blocks_of(10, 4) == expected);
    CHECK(blocks_of(4, 4) == Blocks{{0, 4}});
    CHECK(blocks_of(1, 100) == Blocks{{0, 1}});
    CHECK(blocks_of(0, 4).empty());
    CHECK(blocks_of(-3, 4).empty());
    CHECK(blocks_of(1000, 1).size() == 1000);
  }
}

TEST_CASE("parallel_for: what blocks wrote is there when it returns") {
  const Threads limit(4);
  std::vector<std::int64_t> squares(10000);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::ranges::fill(squares, -1);
    parallel_for(10000, 7, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) squares[static_cast<std::size_t>(i)] = i * i;
    });
    for (std::int64_t i = 0; i < 10000; ++i) REQUIRE(squares[static_cast<std::size_t>(i)] == i * i);
  }
}

TEST_CASE("parallel_for: thread indices stay below the limit, and no two running blocks share one") {
  const Threads limit(3);
  std::array<std::atomic<int>, 3> busy = {};
  std::atomic<int> wrong = 0;
  parallel_for(300, 1, [&](std::int64_t, std::int64_t) {
    const int index = thread_index();
    if (index < 0 || index >= 3) {
      ++wrong;
      return;
    }
    auto& mine = busy[static_cast<std::size_t>(index)];
    if (mine.fetch_add(1) != 0) ++wrong;
    std::this_thread::yield();
    --mine;
  });
  CHECK(wrong == 0);
  CHECK(thread_index() == 0);
}

TEST_CASE("parallel_for: may be nested") {
  const Threads limit(2);
  std::atomic<int> sum = 0;
  parallel_for(4, 1, [&](std::int64_t, std::int64_t) {
    parallel_for(8, 2, [&](std::int64_t begin, std::int64_t end) { sum += static_cast<int>(end - begin); });
  });
  CHECK(sum == 32);
}

TEST_CASE("parallel_for: several threads of the host may be the first to need workers, while another one sets the limit") {
  for (int round = 0; round < 20; ++round) {
    const Threads limit(3);
    std::atomic<int> waiting = 3;
    std::array<std::atomic<int>, 2> sums = {};
    const auto start = [&] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
    };
    std::vector<std::thread> host;
    for (auto& sum : sums) {
      host.emplace_back([&] {
        start();
        for (int i = 0; i < 10; ++i) parallel_for(20, 1, [&](std::int64_t, std::int64_t) { ++sum; });
      });
    }
    start();
    set_threads(2);
    for (auto& thread : host) thread.join();
    CHECK(sums[0] == 200);
    CHECK(sums[1] == 200);
  }
}

TEST_CASE("parallel_for: an exception of a block reaches the caller") {
  for (const int threads : {1, 2}) {
    const Threads limit(threads);
    const auto failing = [](std::int64_t begin, std::int64_t) {
      if (begin == 5) throw std::runtime_error("block 5");
    };
    CHECK_THROWS_WITH_AS(parallel_for(10, 1, failing), "block 5", std::runtime_error);
  }
}

TEST_CASE("threads: 0 means as many as the machine has") {
  {
    const Threads limit(5);
    CHECK(threads() == 5);
  }
  CHECK(threads() == std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

}  // namespace parallel_test
