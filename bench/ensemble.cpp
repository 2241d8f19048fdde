// Several prompts that answer in one forward pass beside a pass for each: equal answers first, then times at batch 1.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/command_line.h"
#include "data/examples.h"
#include "data/table.h"
#include "data/tasks/named_task.h"
#include "data/tokenizers/tokenizer.h"
#include "data/truncation.h"
#include "engine/core/error.h"
#include "engine/core/stop_watch.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/rank_classifier.h"
#include "peft/text_task.h"

namespace preamble::bench {
namespace {

using Scores = std::vector<ClassScores>;

struct Options {
  std::filesystem::path model, file;
  std::vector<std::filesystem::path> adapters;
  std::int64_t examples = 100;
  int rounds = 3;
  double limit = 1.0 / 3;
  Machine machine;
};

/// What a set of adapters says of each example, one example at a time.
class Answering {
 public:
  Answering(const Options& options, const std::vector<std::filesystem::path>& adapters)
      : tokenizer_(load_tokenizer(options.model)),
        model_(open_model(options.model)),
        method_(open_adapters(adapters, *model_)),
        members_(adapters.size()) {
    auto kept = TextTask::read(adapters.front());
    require<ConfigError>(kept && kept->classifies(), "{}: no task with label words; wanted one", adapters.front().string());
    TextTask task = *std::move(kept);
    fit_to_model(task, *model_, *tokenizer_);
    const Table table =
        task.name.empty() ? load_table(options.file) : load_named_task(named_task(task.name), options.file, TaskUse::evaluation);
    TruncationReport report;
    auto examples = examples_of(task, table, *tokenizer_, false, report);
    examples.resize(std::min(examples.size(), static_cast<std::size_t>(options.examples)));
    for (const auto& example : examples) {
      for (std::size_t member = 0; member < members_; ++member) {
        examples_.push_back(example);
        examples_.back().slot = static_cast<std::int32_t>(member);
      }
    }
    classifier_ = std::make_unique<RankClassifier>(*model_, *method_, label_targets(task, *tokenizer_), longest_source(examples));
  }

  [[nodiscard]] std::size_t examples() const { return examples_.size() / members_; }

  /// A pass for each example, all members in it; member by member of each example.
  [[nodiscard]] Scores run() {
    Scores all;
    for (std::size_t i = 0; i < examples(); ++i) {
      auto scores = classifier_->classify(std::span(examples_).subspan(i * members_, members_));
      std::ranges::move(scores, std::back_inserter(all));
    }
    return all;
  }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Method> method_;
  std::size_t members_;
  std::vector<Example> examples_;
  std::unique_ptr<RankClassifier> classifier_;
};

double seconds_of(Answering& answering) {
  const StopWatch watch;
  (void)answering.run();
  return watch.seconds();
}

double largest_difference(const Scores& together, const Scores& alone, std::size_t member, std::size_t members) {
  double most = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const auto& one = together[i * members + member].log_likelihoods;
    for (std::size_t c = 0; c < one.size(); ++c) most = std::max(most, std::abs(one[c] - alone[i].log_likelihoods[c]) / std::abs(one[c]));
  }
  return most;
}

int bench(const Options& options) {
  constexpr double kTolerance = 1e-4;
  const std::size_t members = options.adapters.size();
  Answering together(options, options.adapters);
  std::vector<std::unique_ptr<Answering>> alone;
  for (const auto& adapter : options.adapters) alone.push_back(std::make_unique<Answering>(options, std::vector{adapter}));
  const Scores all = together.run();
  double most = 0;
  for (std::size_t m = 0; m < members; ++m) most = std::max(most, largest_difference(all, alone[m]->run(), m, members));
  fmt::print("{} examples, {} prompts: largest relative difference of a log-likelihood to a pass alone {:.1e}: {}\n", together.examples(),
             members, most, most < kTolerance ? "equal" : "DIFFERENT");
  double one_pass = std::numeric_limits<double>::max(), passes = one_pass;
  for (int round = 0; round < options.rounds; ++round) {
    one_pass = std::min(one_pass, seconds_of(together));
    double sum = 0;
    for (const auto& member : alone) sum += seconds_of(*member);
    passes = std::min(passes, sum);
  }
  const auto count = static_cast<double>(together.examples());
  fmt::print("an example in one pass of all: {:.3f} ms; in a pass for each: {:.3f} ms\n", one_pass * 1e3 / count, passes * 1e3 / count);
  const bool fast = one_pass <= options.limit * passes;
  fmt::print("{:.3f} times, wanted at most {:.3f}: {}\n", one_pass / passes, options.limit, fast ? "good" : "TOO SLOW");
  return most < kTolerance && fast ? 0 : 1;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Several prompts that classify in one forward pass, an example at a time, beside a pass for each.", "ensemble");
  app.option_defaults()->always_capture_default();
  app.add_option("--model", options.model, "folder of the model")->required()->check(CLI::ExistingDirectory);
  app.add_option("--adapter", options.adapters, "adapter folder; give the option again for each further one")
      ->required()
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  app.add_option("--file", options.file, "data file, as `preamble eval` takes it")->required()->check(CLI::ExistingPath);
  app.add_option("--examples", options.examples, "number of its first rows to read")->check(CLI::Range(1, 1 << 24));
  app.add_option("--rounds", options.rounds, "the fastest counts")->check(CLI::Range(1, 100));
  app.add_option("--limit", options.limit, "largest ratio of both times that is good")->check(CLI::PositiveNumber);
  options.machine.add_to(app);
  return parsed(app, argc, argv, [&] {
    options.machine.choose();
    return bench(options);
  });
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) { return preamble::bench::run_main("ensemble", argc, argv, preamble::bench::run); }
