#include "tools/text_training.h"

#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace text_training_test {

using namespace preamble;
using doctest::Approx;

TEST_CASE("text_training: rates of a mixture go by examples up to a limit, by temperature, or as given") {
  const std::vector<std::int64_t> counts = {100, 300};
  CHECK(mixture_rates("proportional", counts, 0, 1) == std::vector<double>{0.25, 0.75});
  CHECK(mixture_rates("proportional", counts, 100, 1) == std::vector<double>{0.5, 0.5});
  // 10 and √300
  CHECK(mixture_rates("proportional", counts, 0, 2)[0] == Approx(10 / (10 + 17.320508)));
  CHECK(mixture_rates("equal", counts, 0, 1) == std::vector<double>{0.5, 0.5});
  CHECK(mixture_rates("1,3", counts, 0, 1) == std::vector<double>{0.25, 0.75});
  CHECK_THROWS_AS((void)mixture_rates("1", counts, 0, 1), ConfigError);
  CHECK_THROWS_AS((void)mixture_rates("1,x", counts, 0, 1), ConfigError);
  CHECK_THROWS_AS((void)mixture_rates("0,0", counts, 0, 1), ConfigError);
  CHECK_THROWS_AS((void)mixture_rates("-1,2", counts, 0, 1), ConfigError);
}

TEST_CASE("text_training: scores of several files are those of each, and the mean of what all have") {
  TextTraining data;
  data.tasks = {{.name = "a"}, {.name = "b"}};
  const auto scores = data.joined({{{"score", 0.5}, {"f1", 0.1}}, {{"score", 1.0}, {"accuracy", 1.0}}});
  CHECK(scores.at("score") == 0.75);
  CHECK(scores.at("a.f1") == 0.1);
  CHECK(scores.at("b.accuracy") == 1.0);
  CHECK_FALSE(scores.contains("f1"));
}

TEST_CASE("text_training: a prompt of a mixture starts from the labels of all tasks, and its folder names them") {
  TextTraining data;
  data.tasks = {{.name = "x", .input = "{a}", .labels = "0=no,1=yes"}, {.name = "y", .input = "{b}", .target = "{c}"},
                {.name = "z", .input = "{d}", .labels = "yes,maybe"}};
  CHECK(data.labelling().labels == "no,yes,maybe");
  const testing::TemporaryFolder folder;
  data.write_task(folder.path());
  const auto task = TextTask::read(folder.path());
  REQUIRE(task.has_value());
  CHECK(task->mixture == std::vector<std::string>{"x", "y", "z"});
  CHECK(task->input.empty());
}

}  // namespace text_training_test
