// `preamble run` against what transformers and PEFT compute, case by case: tests/golden/*/cases.
#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "engine/core/file.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"
#include "tools/commands.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The working folder while it lives: the paths of a case are relative to its own.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& path) : outer_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() { std::filesystem::current_path(outer_); }

 private:
  std::filesystem::path outer_;
};

/// Parses and runs a command line as `preamble` does.
void run(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"preamble", "run"};
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  CLI::App app;
  add_run(app);
  app.parse(static_cast<int>(argv.size()), argv.data());
}

void check_whole_numbers(const Tensor& given, const Tensor& expected) {
  REQUIRE(!is_floating(given.dtype()));
  const Tensor a = given.to(Dtype::i32);
  const Tensor b = expected.to(Dtype::i32);
  CHECK(std::ranges::equal(a.values<std::int32_t>(), b.values<std::int32_t>()));
}

/// The norm of the difference, relative to the norm of what is expected; absolute where that is almost zero.
void check_real_numbers(const Tensor& given, const Tensor& expected, double tolerance) {
  constexpr double kZero = 1e-6;
  const Tensor a = given.to(Dtype::f64);
  const Tensor b = expected.to(Dtype::f64);
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.values<double>().size(); ++i) {
    const double x = a.values<double>()[i];
    const double y = b.values<double>()[i];
    error += (x - y) * (x - y);
    norm += y * y;
  }
  norm = std::sqrt(norm);
  CHECK(std::sqrt(error) <= tolerance * (norm >= kZero ? norm : 1.0));
}

void check_results(const TensorFile& given, const TensorFile& expected, const nlohmann::json& tolerances) {
  REQUIRE(!tolerances.empty());
  for (const auto& [name, entry] : tolerances.items()) {
    CAPTURE(name);
    REQUIRE(given.contains(name));
    REQUIRE(given.dims(name) == expected.dims(name));
    const Tensor wanted = expected.get(name);
    if (is_floating(wanted.dtype())) {
      check_real_numbers(given.get(name), wanted, entry.at("tol").get<double>());
    } else {
      check_whole_numbers(given.get(name), wanted);
    }
  }
}

/// Runs all cases of an architecture under more options; returns how many there were.
int run_cases(const std::string& architecture, const std::vector<std::string>& more) {
  int count = 0;
  TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(golden(architecture + "/cases"))) {
    if (!std::filesystem::exists(entry.path() / "case.json")) continue;
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const auto spec = nlohmann::json::parse(read_text(entry.path() / "case.json"));
    const auto out = folder.path() / (name + ".safetensors");
    auto arguments = spec.at("args").get<std::vector<std::string>>();
    arguments.insert(arguments.end(), {"--out", out.string()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const WorkingFolder here(entry.path());
    REQUIRE_NOTHROW(run(arguments));
    check_results(SafetensorsFile::open(out), SafetensorsFile::open("out.safetensors"), spec.at("expect"));
    ++count;
  }
  return count;
}

/// Every way of running a case must give the golden results.
void check_architecture(const std::string& architecture, int at_least) {
  const Threads restored(0);
  for (const auto* threads : {"1", "2"}) {
    for (const auto* budget : {"auto", "none", "min"}) {
      CAPTURE(threads);
      CAPTURE(budget);
      CHECK(run_cases(architecture, {"--threads", threads, "--memory-budget", budget}) >= at_least);
    }
  }
}

}  // namespace

TEST_CASE("golden: T5 v1.0, tied and with ReLU") { check_architecture("t5-v10", 32); }

TEST_CASE("golden: T5 v1.1, untied and gated") { check_architecture("t5-v11", 28); }

TEST_CASE("golden: T5 with prompts large enough for the factored Adafactor") { check_architecture("t5-d128", 5); }

TEST_CASE("golden: GPT-2") { check_architecture("gpt2", 11); }

TEST_CASE("golden: BERT, with heads of every task") { check_architecture("bert", 18); }

TEST_CASE("golden: RoBERTa, with its two-layer head") { check_architecture("roberta", 9); }

TEST_CASE("golden: XLM-RoBERTa") { check_architecture("xlm-roberta", 5); }

TEST_CASE("golden: DistilBERT, with its own names and heads") { check_architecture("distilbert", 6); }

TEST_CASE("golden: ELECTRA, with embeddings of another width") { check_architecture("electra", 6); }

TEST_CASE("golden: mT5, tied and not scaled") { check_architecture("mt5", 4); }

TEST_CASE("golden: UMT5, with relative positions of each layer") { check_architecture("umt5", 4); }

TEST_CASE("golden: BART, with scaled embeddings and stacks of different depths") { check_architecture("bart", 12); }
