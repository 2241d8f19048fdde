// The training of tools/demo, shortened: the same adapter to the bit, however it is computed.
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/backend/backend.h"
#include "engine/core/file.h"
#include "engine/core/parallel.h"
#include "tests/support/golden.h"
#include "tests/support/guarded_backend.h"
#include "tests/support/residence.h"
#include "tests/support/temporary_folder.h"
#include "tools/program.h"

namespace demo_training_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Trained {
  std::string adapter;
  std::int64_t arena_bytes = 0;
};

/// Three updates of the demo's prompt.
Trained train(const std::string& budget, int threads) {
  const TemporaryFolder folder;
  const std::string tools = (golden("..") / ".." / "tools").string();
  const std::string output = (folder.path() / "prompt").string();
  const std::string log = (folder.path() / "log.jsonl").string();
  const std::vector<std::string> words = {"preamble",
                                          "train",
                                          "--threads=" + std::to_string(threads),
                                          "--memory-budget=" + budget,
                                          "--model=" + tools + "/demo_model",
                                          "--train-file=" + tools + "/demo_data/definitions.train.tsv",
                                          "--input={definition}",
                                          "--labels=noun,verb,adjective,adverb",
                                          "--label-column=part_of_speech",
                                          "--num-virtual-tokens=20",
                                          "--prompt-tuning-init=class_labels",
                                          "--max-steps=3",
                                          "--batch-size=32",
                                          "--learning-rate=0.1",
                                          "--lr-scheduler-type=linear",
                                          "--seed=1",
                                          "--output-dir=" + output,
                                          "--json=" + log};
  std::vector<const char*> line;
  for (const auto& word : words) line.push_back(word.c_str());
  std::ostringstream out, err;
  REQUIRE(run_program(static_cast<int>(line.size()), line.data(), out, err) == 0);
  Trained trained{read_text(folder.path() / "prompt" / "adapter_model.safetensors")};
  std::istringstream entries(read_text(folder.path() / "log.jsonl"));
  for (std::string entry; std::getline(entries, entry);) {
    const auto json = nlohmann::json::parse(entry);
    if (json.contains("arena_bytes")) trained.arena_bytes = json["arena_bytes"].get<std::int64_t>();
  }
  REQUIRE(trained.arena_bytes > 0);
  return trained;
}

}  // namespace

TEST_CASE("demo: the adapter has the same bytes with every memory budget, one and two threads, on memory that the host cannot touch" *
          doctest::test_suite(kManyRuns)) {
  const Trained straight = train("none", 1);
  const Trained smallest = train("min", 1);
  CHECK(smallest.arena_bytes < straight.arena_bytes);
  CHECK(smallest.adapter == straight.adapter);
  std::vector<std::string> budgets = {"none", "auto", "min"};
  for (const int quarters : {1, 2, 3}) {
    budgets.push_back(std::to_string(smallest.arena_bytes + (straight.arena_bytes - smallest.arena_bytes) * quarters / 4));
  }
  for (const Backend* backend : {&cpu_backend(), &guarded_backend()}) {
    const OnBackend here(*backend);
    for (const auto& budget : budgets) {
      for (const int threads : {1, 2}) {
        CAPTURE(backend->name());
        CAPTURE(budget);
        CAPTURE(threads);
        CHECK(train(budget, threads).adapter == straight.adapter);
      }
    }
  }
  set_threads(0);
}

}  // namespace demo_training_test
