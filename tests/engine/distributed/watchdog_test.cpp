#include "engine/distributed/watchdog.h"

#include <array>
#include <chrono>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace watchdog_test {

using namespace preamble;
using namespace std::chrono_literals;

namespace {

struct Ended {
  int status = -1;  ///< of the exit; -1: the process did not exit
  std::string line;
};

/// Runs `body` in a process of its own.
template <class Body>
Ended in_process(const Body& body) {
  std::array<int, 2> pipe_ends{};
  REQUIRE(pipe(pipe_ends.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Watchdog::set_output(pipe_ends[1]);
    body();
    _exit(0);
  }
  close(pipe_ends[1]);
  Ended ended;
  std::array<char, 256> piece{};
  for (ssize_t count = 0; (count = read(pipe_ends[0], piece.data(), piece.size())) > 0;) ended.line.append(piece.data(), static_cast<std::size_t>(count));
  close(pipe_ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  return ended;
}

}  // namespace

TEST_CASE("watchdog: a call that takes too long ends the process with a line") {
  const Ended ended = in_process([] {
    Watchdog watchdog(100ms, "nobody came");
    watchdog.begin();
    std::this_thread::sleep_for(20s);
  });
  CHECK(ended.status == 1);
  CHECK(ended.line == "preamble: nobody came\n");
}

TEST_CASE("watchdog: many short calls, and time between them, are no reason to end") {
  const Ended ended = in_process([] {
    Watchdog watchdog(300ms, "nobody came");
    for (int call = 0; call < 10; ++call) {
      watchdog.begin();
      std::this_thread::sleep_for(20ms);
      watchdog.end();
      std::this_thread::sleep_for(50ms);
    }
  });
  CHECK(ended.status == 0);
  CHECK(ended.line.empty());
}

TEST_CASE("watchdog: what follows a call that was left is watched, too") {
  const Ended ended = in_process([] {
    Watchdog watchdog(100ms, "nobody came");
    try {
      watchdog.begin();
      throw 1;
    } catch (int) {
      std::this_thread::sleep_for(20s);
    }
  });
  CHECK(ended.status == 1);
}

}  // namespace watchdog_test
