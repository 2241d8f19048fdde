#include "tools/sweep_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace sweep_plan_test {

using namespace preamble;
using testing::TemporaryFile;

namespace {

SweepPlan plan_of(const std::string& text, const std::map<std::string, std::string>& values = {}) {
  return read_sweep(TemporaryFile("length.toml", text).path(), values);
}

const std::string kLength = R"(
slots = 4
[train]
model = "$models/t5"
labels = ["a", "b"]
max-steps = 100
detect-anomaly = true
[sweep]
num-virtual-tokens = [1, 20]
seed = [1, 2, 3]
[[plot]]
x = "num-virtual-tokens"
)";

}  // namespace

TEST_CASE("sweep_plan: every combination of the axes is a run") {
  const SweepPlan plan = plan_of(kLength, {{"models", "/m"}});
  CHECK(plan.name == "length");
  CHECK(plan.runs.size() == 6);
  CHECK(plan.axes == std::vector<std::string>{"num-virtual-tokens", "seed"});
  CHECK(*plan.runs[0].find("model") == "/m/t5");
  CHECK(*plan.runs[0].find("labels") == "a,b");
  const auto words = plan.runs[5].arguments();
  CHECK(std::find(words.begin(), words.end(), "--detect-anomaly") + 1 != words.end());
  CHECK(std::find(words.begin(), words.end(), "true") == words.end());
  CHECK(plan.runs[5].axes.at("num-virtual-tokens") != plan.runs[0].axes.at("num-virtual-tokens"));
  std::set<std::string> keys;
  for (const auto& run : plan.runs) keys.insert(run.key());
  CHECK(keys.size() == 6);
}

TEST_CASE("sweep_plan: variants fix options, and have axes of their own") {
  const SweepPlan plan = plan_of(R"(
[train]
learning-rate = 0.5
[sweep]
num-virtual-tokens = [1, 5]
seed = [1]
[[variant]]
name = "full"
method = "full"
learning-rate = 1e-3
num-virtual-tokens = 1
[[variant]]
name = "prompt"
sweep.seed = [4, 5]
)");
  REQUIRE(plan.runs.size() == 1 + 4);
  CHECK(plan.axes.front() == "variant");
  CHECK(plan.axes.back() == "seed");
  CHECK(*plan.runs[0].find("learning-rate") == "0.001");
  CHECK(*plan.runs[1].find("learning-rate") == "0.5");
  CHECK(plan.runs[0].axes.contains("num-virtual-tokens") == false);
  CHECK(plan.runs[4].axes.at("seed") == "5");
}

TEST_CASE("sweep_plan: prompts that differ in what slots may differ in are trained together") {
  const SweepPlan plan = plan_of(kLength, {{"models", "/m"}});
  CHECK(sweep_groups(plan, {0, 1, 2, 3, 4, 5}) == std::vector<std::vector<std::size_t>>{{0, 1, 2, 3}, {4, 5}});
  CHECK(sweep_groups(plan, {2, 4}) == std::vector<std::vector<std::size_t>>{{2, 4}});
  const SweepPlan alone = plan_of("slots = 4\n[train]\nmethod = \"prefix\"\n[sweep]\nseed = [1, 2]\n");
  CHECK(sweep_groups(alone, {0, 1}).size() == 2);
  const SweepPlan drawn = plan_of("slots = 4\n[train]\ntrain-samples = 5\n[sweep]\nseed = [1, 2]\n");
  CHECK(sweep_groups(drawn, {0, 1}).size() == 2);
  const SweepPlan steps = plan_of("slots = 4\n[sweep]\nmax-steps = [5, 6]\n");
  CHECK(sweep_groups(steps, {0, 1}).size() == 2);
}

TEST_CASE("sweep_plan: adapted models are an axis that training does not know, but a run's name does") {
  const std::string text = R"(
slots = 2
[adapt]
model = "t5"
batch-size = 8
[sweep]
adaptation-steps = [300, 0, 100]
seed = [1, 2]
)";
  const SweepPlan plan = plan_of(text);
  CHECK(plan.adaptation_steps == std::vector<std::int64_t>{0, 100, 300});
  CHECK(plan.adapt.size() == 2);
  for (const auto& run : plan.runs) CHECK(run.arguments() == std::vector<std::string>{"--seed", run.axes.at("seed")});
  CHECK(sweep_groups(plan, {0, 1, 2, 3, 4, 5}) == std::vector<std::vector<std::size_t>>{{0, 1}, {2, 3}, {4, 5}});
  std::string other = text;
  other.replace(other.find("= 8"), 3, "= 9");
  CHECK(plan_of(other).runs[0].key() != plan.runs[0].key());
}

TEST_CASE("sweep_plan: mistakes are named with their line") {
  const auto rejected = [](const std::string& text, const std::string& part) {
    try {
      (void)plan_of(text);
      FAIL("no error");
    } catch (const FileError& error) {
      CHECK(std::string(error.what()).find(part) != std::string::npos);
    }
  };
  rejected("[train\n", "length.toml:1");
  rejected("wrong = 1\n[train]\n", "key 'wrong'");
  rejected("[sweep]\nseed = 1\n", "axis 'seed' is no list");
  rejected("[train]\noutput-dir = \"x\"\n", "the sweep's own");
  rejected("[train]\nmodel = \"$where\"\n", "$where has no value");
  rejected("[[variant]]\nmethod = \"full\"\n", "a variant without a name");
  rejected("[sweep]\nadaptation-steps = [1]\n", "without [adapt]");
  rejected("[adapt]\nmodel = \"t5\"\n[sweep]\nseed = [1]\n", "without adaptation steps");
  rejected("[adapt]\nmodel = \"t5\"\n[sweep]\nadaptation-steps = [-1]\n", "'-1'");
  rejected("[adapt]\nmodel = \"t5\"\n[train]\nmodel = \"t5\"\n[sweep]\nadaptation-steps = [1]\n", "beside [adapt]");
  rejected("[adapt]\nmax-steps = 5\n[sweep]\nadaptation-steps = [1]\n", "'max-steps' of [adapt]");
  rejected("[sweep]\nseed = [1]\n[[plot]]\nx = \"rate\"\n", "'rate' is no axis");
}

}  // namespace sweep_plan_test
