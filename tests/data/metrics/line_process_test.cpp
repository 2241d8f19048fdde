#include "data/metrics/line_process.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace line_process_test {

using namespace preamble;
using namespace preamble::metrics;

namespace {

constexpr int kPatienceMs = 20'000;

}  // namespace

TEST_CASE("line_process: answers lines with lines, also long ones") {
  LineProcess echo({"cat"});
  const std::string line(50'000, 'x');
  for (int i = 0; i < 3; ++i) {
    echo.write_line(line + std::to_string(i));
    CHECK(echo.read_line(kPatienceMs) == line + std::to_string(i));
  }
}

TEST_CASE("line_process: several lines that arrive at once are given one by one") {
  LineProcess program({"sh", "-c", "printf 'one\\ntwo\\n\\n'; cat"});
  CHECK(program.read_line(kPatienceMs) == "one");
  CHECK(program.read_line(kPatienceMs) == "two");
  CHECK(program.read_line(kPatienceMs).empty());
}

TEST_CASE("line_process: a program that does not exist is named") {
  CHECK_THROWS_WITH_AS(LineProcess({"preamble-no-such-program"}), "preamble-no-such-program: cannot be started: No such file or directory",
                       UnsupportedError);
}

TEST_CASE("line_process: a program that ends is reported with its last words") {
  LineProcess program({"sh", "-c", "echo 'out of cheese' >&2"});
  CHECK_THROWS_WITH_AS(static_cast<void>(program.read_line(kPatienceMs)), "sh: ended without an answer; it said: out of cheese",
                       UnsupportedError);
  CHECK_THROWS_AS(for (int i = 0; i < 100; ++i) program.write_line(std::string(10'000, 'x')), UnsupportedError);
}

TEST_CASE("line_process: a program that says nothing does not hang") {
  LineProcess program({"sleep", "60"});
  CHECK_THROWS_WITH_AS(static_cast<void>(program.read_line(50)), "sleep: no answer within 50 ms", UnsupportedError);
}

}  // namespace line_process_test
