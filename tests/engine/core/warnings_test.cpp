#include "engine/core/warnings.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace warnings_test {

using namespace preamble;

TEST_CASE("warnings: each distinct message is said once") {
  const WarningCapture capture;
  warn("a.json: key 'x' is not used");
  warn("b.json: key 'x' is not used");
  warn("a.json: key 'x' is not used");
  CHECK(capture.messages() == std::vector<std::string>{"a.json: key 'x' is not used", "b.json: key 'x' is not used"});
}

TEST_CASE("warnings: strict mode throws the message and says nothing") {
  const WarningCapture capture(true);
  CHECK(strict_warnings());
  CHECK_THROWS_WITH_AS(warn("a.json: key 'x' is not used"), "a.json: key 'x' is not used", ConfigError);
  CHECK(capture.messages().empty());
  set_strict_warnings(false);
  warn("a.json: key 'x' is not used");
  CHECK(capture.messages().size() == 1);
}

TEST_CASE("warnings: a capture ends with its scope") {
  const WarningCapture outer;
  {
    const WarningCapture inner(true);
    CHECK_THROWS_AS(warn("one"), ConfigError);
  }
  CHECK_FALSE(strict_warnings());
  warn("one");
  {
    const WarningCapture inner;
    warn("one");
    CHECK(inner.messages().size() == 1);
  }
  warn("one");
  warn("two");
  CHECK(outer.messages() == std::vector<std::string>{"one", "two"});
}

TEST_CASE("warnings: a sink of the program receives them") {
  const WarningCapture capture;
  std::vector<std::string> received;
  const WarningSink former = set_warning_sink([&](const std::string& message) { received.push_back(message); });
  warn("one");
  set_warning_sink(former);
  warn("two");
  CHECK(received == std::vector<std::string>{"one"});
  CHECK(capture.messages() == std::vector<std::string>{"two"});
}

}  // namespace warnings_test
