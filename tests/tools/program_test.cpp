#include "tools/program.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace tools_program_test {

using namespace preamble;
using preamble::testing::TemporaryFolder;

namespace {

struct Ended {
  int status = 0;
  std::string out, err;
};

Ended run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "preamble");
  std::ostringstream out, err;
  const int status = run_program(static_cast<int>(arguments.size()), arguments.data(), out, err);
  return {status, out.str(), err.str()};
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("program: an unknown command is an error that lists the commands, with --help too") {
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"adjust"}, {"adjust", "--help"}, {"adjust", "--threads", "2"}}) {
    const Ended ended = run(arguments);
    CHECK(ended.status == 2);
    CHECK(ended.out.empty());
    CHECK(ended.err.starts_with("preamble: unknown command 'adjust'; wanted one of these\n"));
    for (const char* command :
         {"  train ", "  eval ", "  predict ", "  generate ", "  score ", "  explain ", "  inspect ", "  tokenize ", "  run "})
      CHECK(contains(ended.err, command));
  }
  CHECK(run({}).status == 2);
  CHECK(run({}).err.starts_with("preamble: no command was given; wanted one of these\n"));
}

TEST_CASE("program: help is no error") {
  const Ended all = run({"--help"});
  CHECK(all.status == 0);
  CHECK(contains(all.out, "train"));
  const Ended one = run({"score", "--help"});
  CHECK(one.status == 0);
  CHECK(contains(one.out, "--references"));
  CHECK(one.err.empty());
}

TEST_CASE("program: an error of parsing names the command and ends with a line break") {
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"train"},
                                             {"train", "--unknown"},
                                             {"score", "--layout", "rows"},
                                             {"explain", "--model", "t5-base", "--batch-size", "x"},
                                             {"--unknown"}}) {
    const Ended ended = run(arguments);
    CHECK(ended.status == 2);
    CHECK(ended.err.ends_with("\n"));
    CHECK(ended.err.starts_with("preamble"));
    CHECK(contains(ended.err, "--help"));
  }
  CHECK(run({"train"}).err.starts_with("preamble train: "));
}

TEST_CASE("program: several references may follow one option") {
  const TemporaryFolder folder;
  const std::string h = folder.write("h", "a cat sat here\n").string(), r0 = folder.write("r0", "a dog sat here\n").string(),
                    r1 = folder.write("r1", "a cat sat there\n").string();
  CHECK(run({"score", "--predictions", h.c_str(), "--references", r0.c_str(), r1.c_str(), "--metrics", "sacrebleu"}).status == 0);
  CHECK(
      run({"score", "--references", r0.c_str(), "--references", r1.c_str(), "--predictions", h.c_str(), "--metrics", "sacrebleu"}).status ==
      0);
}

TEST_CASE("program: a command that fails says why in one line") {
  const TemporaryFolder folder;
  const Ended ended = run({"tokenize", "--model", folder.path().c_str(), "--in", folder.write("in", "{}").c_str(), "--out", "out"});
  CHECK(ended.status == 1);
  CHECK(ended.err.starts_with("preamble: "));
  CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
}

}  // namespace tools_program_test
