#include "tools/shared_jobs.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/rank_threads.h"

namespace shared_jobs_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("shared jobs: each is done once, long ones do not keep the others waiting, and all ranks hear of all in one order") {
  constexpr std::size_t kJobs = 9;
  for (const int size : {1, 2, 3}) {
    CAPTURE(size);
    std::mutex mutex;
    std::vector<std::size_t> begun;
    std::vector<std::vector<std::pair<std::size_t, std::string>>> heard(static_cast<std::size_t>(size));
    on_ranks(size, [&](Communicator& ranks) {
      auto& mine = heard[static_cast<std::size_t>(ranks.rank())];
      share_jobs(
          ranks, kJobs,
          [&](std::size_t job) {
            {
              const std::lock_guard lock(mutex);
              begun.push_back(job);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(job == 0 ? 900 : 5));
            return "job " + std::to_string(job);
          },
          [&](std::size_t job, const std::string& result) { mine.emplace_back(job, result); });
    });
    CHECK(begun.size() == kJobs);
    CHECK(std::set<std::size_t>(begun.begin(), begun.end()).size() == kJobs);
    for (const auto& of_rank : heard) CHECK(of_rank == heard.front());
    REQUIRE(heard.front().size() == kJobs);
    for (const auto& [job, result] : heard.front()) CHECK(result == "job " + std::to_string(job));
    // the first job is the longest: on one rank it comes first, on several behind others
    if (size == 1) CHECK(heard.front().front().first == 0);
    if (size > 1) CHECK(heard.front().front().first != 0);
  }
}

TEST_CASE("shared jobs: none is no work") {
  on_ranks(2, [](Communicator& ranks) {
    share_jobs(
        ranks, 0, [](std::size_t) -> std::string { throw std::runtime_error("no job was asked for"); }, [](std::size_t, const std::string&) {});
  });
}

}  // namespace shared_jobs_test
