#include "data/metrics/meteor.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace meteor_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

namespace {

const Corpus kCorpus = {{"It's A cat.", {"A cat!", "the ||| cat"}}, {"dog", {"a dog"}}};

/// A jar and a program in the place of Java, which answers every line as `script` says.
class FakeMeteor {
 public:
  explicit FakeMeteor(std::string_view script) {
    options.jar = folder_.write("meteor.jar", "");
    options.java = folder_.write("java", script).string();
    std::filesystem::permissions(options.java, std::filesystem::perms::owner_all);
  }

  MeteorOptions options;

 private:
  testing::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("meteor: sends segments, then all statistics, and takes the last score") {
  // refuses whatever differs from the protocol by ending
  const FakeMeteor fake(R"(#!/bin/sh
[ "$1 $2 $3" = "-Dfile.encoding=UTF-8 -Xmx2G -jar" ] && [ "$5 $6 $7 $8 $9" = "- - -stdio -l en" ] || exit 1
read line; [ "$line" = "SCORE ||| a cat ||| the cat ||| it 's a cat" ] || exit 1; echo "1 2"
read line; [ "$line" = "SCORE ||| a dog ||| dog" ] || exit 1; echo "3 4"
read line; [ "$line" = "EVAL ||| 1 2 ||| 3 4" ] || exit 1; printf '0.1\n0.2\n0.4321\n'
)");
  CHECK(meteor(kCorpus, fake.options) == Approx(0.4321));
}

TEST_CASE("meteor: a program that fails is an error with its message") {
  const FakeMeteor fake("#!/bin/sh\necho 'Invalid jar' >&2\nexit 1\n");
  try {
    static_cast<void>(meteor(kCorpus, fake.options));
    FAIL("no exception");
  } catch (const UnsupportedError& error) {
    CHECK(std::string_view(error.what()).find("Invalid jar") != std::string_view::npos);
  }
}

TEST_CASE("meteor: an answer that is no number is refused") {
  const FakeMeteor fake("#!/bin/sh\nwhile read line; do printf 'x\\nx\\nx\\n'; done\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(meteor(kCorpus, fake.options)), "meteor: answered 'x'; wanted a number", UnsupportedError);
}

TEST_CASE("meteor: without the jar it says where it is looked for") {
  MeteorOptions options;
  options.jar = "/nonexistent/meteor-1.5.jar";
  CHECK_THROWS_WITH_AS(static_cast<void>(meteor(kCorpus, options)),
                       "meteor: /nonexistent/meteor-1.5.jar: no such file; wanted meteor-1.5.jar", UnsupportedError);
  options.jar.clear();
  if (std::getenv("PREAMBLE_METEOR_JAR") == nullptr) {
    CHECK_THROWS_WITH_AS(static_cast<void>(meteor(kCorpus, options)),
                         "meteor: no METEOR program given; wanted the path of meteor-1.5.jar in PREAMBLE_METEOR_JAR", UnsupportedError);
  }
}

TEST_CASE("meteor: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(meteor({})), "meteor: nothing to score; wanted at least one hypothesis", Error);
}

}  // namespace meteor_test
