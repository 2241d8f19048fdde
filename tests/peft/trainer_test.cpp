#include "peft/trainer.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/warnings.h"
#include "engine/distributed/communicator.h"
#include "models/made_up_model.h"
#include "models/t5/t5.h"
#include "peft/prompt_tuning.h"
#include "tests/support/guarded_backend.h"
#include "tests/support/rank_threads.h"
#include "tests/support/residence.h"
#include "tests/support/t5_models.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace trainer_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kWidth = 16;

T5 small_t5(std::uint64_t seed = 1) {
  T5Config config = T5Config::published("t5-small");
  config.vocab_size = 64, config.d_model = kWidth, config.d_ff = 24, config.d_kv = 8, config.num_heads = 2;
  config.num_layers = config.num_decoder_layers = 1;
  return {config, Parameters(random_source(seed), {})};
}

std::vector<Example> small_data(std::int32_t shift = 0) {
  std::vector<Example> examples;
  for (std::int32_t i = 0; i < 6; ++i) examples.push_back({.source = {2 + i + shift, 3 + i, 1}, .target = {10 + i % 2, 1}});
  return examples;
}

std::unique_ptr<Optimizer> adamw(std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }

/// A prompt of a small T5 in training. Everything is made anew, as in a new process.
struct Run {
  explicit Run(TrainerOptions options, const Trainer::MakeOptimizer& optimizer = adamw, std::uint64_t model_seed = 1,
               std::vector<Example> data = small_data())
      : model(small_t5(model_seed)), trainer(model, method, std::move(data), optimizer, std::move(options)) {}

  [[nodiscard]] std::vector<double> values() const { return numbers(downloaded(method.trainables()[0].value)); }

  /// Trains from the first step on; what stands in `metrics` are the results of the evaluations.
  TrainingResult fit(const std::vector<double>& metrics = {}, const Trainer::Report& report = {}) {
    Trainer::Evaluate evaluate;
    if (!metrics.empty()) evaluate = [this, metrics] { return metrics.at(seen_.size() / every); };
    return train(evaluate, report);
  }

  /// Goes on where another run ended; the evaluation after a step is what it was there.
  TrainingResult fit_like(const Run& straight, const std::vector<double>& metrics, const Trainer::Report& report) {
    return train(
        [&] {
          const auto found = std::ranges::find(straight.after, values());
          REQUIRE(found != straight.after.end());
          return metrics.at(static_cast<std::size_t>(found - straight.after.begin()));
        },
        report);
  }

  TrainingResult train(const Trainer::Evaluate& evaluate, const Trainer::Report& report) {
    return trainer.fit(evaluate, [this, report](const TrainingProgress& progress) {
      seen_.resize(static_cast<std::size_t>(progress.step));
      seen_.back() = progress.result.loss;
      after.resize(seen_.size());
      after.back() = values();
      if (report) report(progress);
    });
  }
  [[nodiscard]] const std::vector<double>& losses() const noexcept { return seen_; }

  T5 model;
  PromptTuning method = PromptTuning({random_prompt(3, kWidth, 4)});
  Trainer trainer;
  std::size_t every = 1;                   ///< steps between evaluations
  std::vector<std::vector<double>> after;  ///< values of the prompt after each step

 private:
  std::vector<double> seen_;
};

TrainerOptions options_for(std::int64_t steps) {
  TrainerOptions options;
  options.max_steps = steps;
  options.batches.sequences = 4;
  options.learning_rate = {.peak = 0.1, .kind = ScheduleKind::linear, .total_steps = steps};
  options.eval_steps = 1;
  return options;
}

TrainerOptions options_in(const TemporaryFolder& folder, std::int64_t steps) {
  TrainerOptions options = options_for(steps);
  options.output = folder.path();
  options.resume = true;
  return options;
}

std::string state_of(const TemporaryFolder& folder) { return read_text(TrainingState::path(folder.path())); }

/// Ends a run as if the process had died: after the update and the log of a step, before what comes behind.
struct Death : std::runtime_error {
  Death() : std::runtime_error("death") {}
};

Trainer::Report dies_at(std::int64_t step) {
  return [step](const TrainingProgress& progress) {
    if (progress.step == step) throw Death();
  };
}

/// Limits the size of the files that this process writes, as a full disk would.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit small = {bytes, limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit limit_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("trainer: the trainables end as they were at the best evaluation") {
  Run run(options_for(4));
  const TrainingResult result = run.fit({0.1, 0.7, 0.3, 0.6});
  CHECK(result.best_metric == 0.7);
  CHECK(result.best_step == 2);
  CHECK(result.steps == 4);
  CHECK(run.values() == run.after[1]);
  CHECK(run.after[1] != run.after[3]);
}

TEST_CASE("trainer: of equal evaluations the first is the best") {
  Run run(options_for(4));
  const TrainingResult result = run.fit({0.1, 0.7, 0.7, 0.7});
  CHECK(result.best_step == 2);
  CHECK(run.values() == run.after[1]);
}

TEST_CASE("trainer: without an evaluation the last values stay, and one after the last step is the best") {
  Run none(options_for(3));
  CHECK(!none.fit().best_metric);
  CHECK(none.values() == none.after[2]);
  TrainerOptions options = options_for(3);
  options.eval_steps = 0;
  Run last(options);
  last.every = 3;
  CHECK(last.fit({-5}).best_step == 3);
  CHECK(last.values() == none.values());
}

TEST_CASE("trainer: without `keep_best` the last values stay, and the best evaluation is known all the same") {
  TrainerOptions options = options_for(4);
  options.keep_best = false;
  Run run(options);
  const TrainingResult result = run.fit({0.1, 0.7, 0.3, 0.6});
  CHECK(result.best_step == 2);
  CHECK(run.values() == run.after[3]);
}

TEST_CASE("trainer: hands over copies on the way, the start first, and once alone") {
  const TemporaryFolder folder;
  TrainerOptions options = options_in(folder, 5);
  options.checkpoint_steps = 2;
  std::vector<std::int64_t> steps;
  const auto fit = [&](const Trainer::Report& report) {
    Run run(options);
    return run.trainer.fit({}, report, [&](std::int64_t step) { steps.push_back(step); });
  };
  options.save_steps = 1;
  CHECK_THROWS_AS(fit(dies_at(4)), Death);
  CHECK(steps == std::vector<std::int64_t>{0, 2});
  fit({});
  CHECK(steps == std::vector<std::int64_t>{0, 2, 4});
}

TEST_CASE("trainer: an evaluation that is not a number is never the best") {
  Run first(options_for(3));
  const TrainingResult result = first.fit({kNan, 0.1, kNan});
  CHECK(result.best_metric == 0.1);
  CHECK(result.best_step == 2);
  CHECK(first.values() == first.after[1]);
  Run all(options_for(3));
  const TrainingResult none = all.fit({kNan, kNan, kNan});
  CHECK(!none.best_metric);
  CHECK(all.values() == all.after[2]);
  // any number is better
  Run low(options_for(3));
  CHECK(low.fit({kNan, -std::numeric_limits<double>::infinity(), kNan}).best_step == 2);
}

TEST_CASE("trainer: stops after so many evaluations without a better one; NaN is none") {
  TrainerOptions options = options_for(9);
  options.early_stopping_patience = 2;
  Run run(options);
  const TrainingResult result = run.fit({0.5, 0.4, 0.6, 0.6, kNan, 0.9, 0.9, 0.9, 0.9});
  CHECK(result.stopped_early);
  CHECK(result.steps == 5);
  CHECK(result.best_step == 3);
  CHECK(run.values() == run.after[2]);
}

TEST_CASE("trainer: a run that dies and goes on equals a straight one, whatever kind of save it goes on from") {
  const std::vector<double> metrics = {0.2, 0.5, 0.5, 0.1, 0.4, 0.3, 0.6};
  struct Kind {
    std::string name;
    std::function<void(TrainerOptions&)> set;
  };
  const std::vector<Kind> kinds = {
      {"at evaluations", [](TrainerOptions&) {}},
      {"every two steps", [](TrainerOptions& o) { o.save_steps = 2; }},
      {"after the last step alone", [](TrainerOptions& o) { o.save_steps = 100; }},
      {"in parts", [](TrainerOptions& o) { o.gradient_accumulation_steps = 2, o.save_steps = 3; }},
      {"when it stops early", [](TrainerOptions& o) { o.early_stopping_patience = 2, o.save_steps = 100; }},
  };
  for (const auto& [name, set] : kinds) {
    CAPTURE(name);
    const TemporaryFolder straight_folder;
    TrainerOptions options = options_in(straight_folder, 7);
    set(options);
    Run straight(options);
    const TrainingResult expected = straight.fit(metrics);
    for (std::int64_t death = 1; death <= expected.steps; ++death) {
      CAPTURE(death);
      const TemporaryFolder folder;
      options.output = folder.path();
      Run first(options);
      CHECK_THROWS_AS(first.fit(metrics, dies_at(death)), Death);
      Run second(options);
      std::int64_t start = -1;
      const TrainingResult result = second.fit_like(straight, metrics, [&](const TrainingProgress& progress) {
        if (start < 0) start = progress.step;
        CHECK(progress.result.loss == straight.losses()[static_cast<std::size_t>(progress.step - 1)]);
      });
      CHECK(result.steps == expected.steps);
      CHECK(result.best_metric == expected.best_metric);
      CHECK(result.best_step == expected.best_step);
      CHECK(result.stopped_early == expected.stopped_early);
      CHECK(result.last_loss == expected.last_loss);
      CHECK(second.values() == straight.values());
      CHECK(state_of(folder) == state_of(straight_folder));
      CHECK(start <= death);
      CHECK(start > 0);
    }
    // a run that has ended has nothing more to do, and ends with the same
    options.output = straight_folder.path();
    Run ended(options);
    const TrainingResult result = ended.fit(metrics, [](const TrainingProgress&) { FAIL("a step was made"); });
    CHECK(result.steps == expected.steps);
    CHECK(result.last_loss == expected.last_loss);
    CHECK(ended.values() == straight.values());
  }
}

TEST_CASE("trainer: a disk that is full stops the run with the file's name and leaves the last state") {
  const TemporaryFolder folder;
  TrainerOptions options = options_in(folder, 6);
  options.save_steps = 2;
  Run straight(options_for(6));
  (void)straight.fit();
  Run run(options);
  std::string saved;
  std::string message;
  std::optional<FullDisk> disk;
  try {
    (void)run.fit({}, [&](const TrainingProgress& progress) {
      if (progress.step != 4) return;
      saved = state_of(folder);
      disk.emplace(1000);
    });
  } catch (const FileError& error) {
    message = error.what();
  }
  disk.reset();
  CHECK(message == TrainingState::path(folder.path()).string() + ": cannot write: File too large");
  CHECK(state_of(folder) == saved);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);  // no remains
  Run second(options);
  (void)second.fit();
  CHECK(second.losses().size() == 6);
  CHECK(second.values() == straight.values());
}

TEST_CASE("trainer: a step that is not finite changes nothing, is not saved, and says where it began") {
  constexpr const char* kSpoiled = "encoder.block.0.layer.0.layer_norm.weight";
  for (const std::int64_t parts : {1, 2}) {
    CAPTURE(parts);
    TrainerOptions options = options_for(5);
    options.gradient_accumulation_steps = parts;
    options.save_steps = 1;
    Run straight(options);
    (void)straight.fit();
    const TemporaryFolder folder;
    options.output = folder.path();
    options.resume = true;
    Run run(options);
    std::string message;
    try {
      (void)run.fit({}, [&](const TrainingProgress& progress) {
        Tensor weight = run.model.parameters().loaded().find(kSpoiled)->second;
        if (progress.step != 2) return;
        weight.values<float>()[3] = std::numeric_limits<float>::quiet_NaN();
        uploaded(weight);
      });
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK(run.after.size() == 2);
    CHECK(run.values() == straight.after[1]);
    CHECK_MESSAGE(message.starts_with("training: step 3: the loss is nan, the gradient of 'prompt_embeddings' is not finite; first: nan from "),
                  message);
    CHECK_MESSAGE(message.find(fmt::format(", which reads '{}', where it stands already; nothing was updated;", kSpoiled)) != std::string::npos,
                  message);
    // the last sound step was saved: with the cause gone the run goes on as if nothing had been
    Run second(options);
    (void)second.fit();
    CHECK(second.values() == straight.values());
    CHECK(second.after.front().empty());
  }
}

TEST_CASE("trainer: under every budget the bits are those of one thread, and of a backend with memory of its own") {
  for (const auto* budget : {"none", "auto", "min", "30000"}) {
    CAPTURE(budget);
    std::vector<std::vector<double>> runs;
    for (const auto* backend : {&cpu_backend(), &guarded_backend()}) {
      for (const int threads : {1, 2}) {
        const OnBackend on(*backend);
        const Threads limit(threads);
        TrainerOptions options = options_for(30);
        options.step.memory = Budget::parse(budget);
        Run run(options);
        (void)run.fit();
        runs.push_back(run.values());
      }
    }
    for (const auto& values : runs) CHECK(values == runs.front());
  }
}

TEST_CASE("trainer: looking for anomalies changes no number") {
  TrainerOptions options = options_for(3);
  Run plain(options);
  (void)plain.fit();
  options.step.detect_anomaly = true;
  Run looked(options);
  (void)looked.fit();
  CHECK(looked.losses() == plain.losses());
  CHECK(looked.values() == plain.values());
}

TEST_CASE("trainer: parts of a batch give the loss and the gradient of the whole") {
  Run whole(options_for(4));
  (void)whole.fit();
  for (const std::int64_t parts : {2, 3, 4}) {
    TrainerOptions options = options_for(4);
    options.gradient_accumulation_steps = parts;
    Run cut(options);
    (void)cut.fit();
    check_close(cut.losses(), whole.losses(), 1e-5);
    check_close(cut.values(), whole.values(), 1e-3);
  }
}

TEST_CASE("trainer: a state of another run is refused, and the error says in what they differ") {
  const TemporaryFolder folder;
  const TrainerOptions options = [&] {
    TrainerOptions made = options_in(folder, 2);
    made.identity["method"] = "prompt";
    return made;
  }();
  Run first(options);
  (void)first.fit();
  const auto refusal = [&](Run&& run) {
    const auto before = run.values();
    std::string message;
    try {
      (void)run.fit();
    } catch (const ConfigError& error) {
      message = error.what();
    }
    CHECK(run.values() == before);
    const std::string start = TrainingState::path(folder.path()).string() + ": it belongs to another run: ";
    CHECK_MESSAGE(message.starts_with(start), message);
    return message.substr(std::min(message.size(), start.size()));
  };
  const auto changed = [&](const std::function<void(TrainerOptions&)>& change) {
    TrainerOptions other = options;
    change(other);
    return refusal(Run(other));
  };
  // the same width, other weights
  CHECK(refusal(Run(options, adamw, 2)).starts_with("model: '"));
  CHECK(refusal(Run(options, [](std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {.beta2 = 0.99}); })) ==
        "optimizer: 'adamw, beta1 0.9, beta2 0.999, epsilon 1e-08, weight decay 0' there, "
        "'adamw, beta1 0.9, beta2 0.99, epsilon 1e-08, weight decay 0' here");
  // as many examples, other tokens
  CHECK(refusal(Run(options, adamw, 1, small_data(1))).starts_with("training data: '6 examples, "));
  CHECK(changed([](TrainerOptions& o) { o.max_steps = 3; }) == "steps: '2' there, '3' here");
  CHECK(changed([](TrainerOptions& o) { o.learning_rate.peak = 0.2; }) ==
        "learning rate: 'linear, peak 0.1, warm-up 0 of 2 steps' there, 'linear, peak 0.2, warm-up 0 of 2 steps' here");
  CHECK(changed([](TrainerOptions& o) { o.batches.seed = 1; }).starts_with("batches: '"));
  CHECK(changed([](TrainerOptions& o) { o.gradient_accumulation_steps = 2; }).starts_with("batches: '"));
  CHECK(changed([](TrainerOptions& o) { o.step.max_grad_norm = 1; }).starts_with("loss: '"));
  CHECK(changed([](TrainerOptions& o) { o.identity["method"] = "prefix"; }) == "method: 'prompt' there, 'prefix' here");
  const std::string two = changed([](TrainerOptions& o) { o.max_steps = 3, o.identity["method"] = "prefix"; });
  CHECK(two == "method: 'prompt' there, 'prefix' here; steps: '2' there, '3' here");
  // what changes no update is free
  TrainerOptions same = options;
  same.step.memory = Budget::smallest();
  same.eval_steps = 2;
  same.save_steps = 7;
  Run run(same);
  CHECK(run.fit().steps == 2);
  CHECK(run.values() == first.values());
}

TEST_CASE("trainer: ranks that were given different data or models refuse to start, with what differs") {
  const auto differ = [](const std::function<Run(TrainerOptions, int)>& make) {
    on_ranks(2, [&](Communicator& rank) {
      TrainerOptions options = options_for(1);
      options.ranks = &rank;
      Run run = make(options, rank.rank());
      (void)run.trainer.fit();
    });
  };
  CHECK_THROWS_WITH_AS(differ([](TrainerOptions options, int rank) { return Run(options, adamw, 1, small_data(rank)); }),
                       doctest::Contains("rank 1 was given another run than rank 0 ('here'): training data: "), DistributedError);
  CHECK_THROWS_WITH_AS(differ([](TrainerOptions options, int rank) { return Run(options, adamw, 1 + static_cast<std::uint64_t>(rank)); }),
                       doctest::Contains("model: "), DistributedError);
}

TEST_CASE("trainer: a run goes on with another number of ranks, with a remark") {
  const TemporaryFolder folder;
  TrainerOptions options = options_in(folder, 6);
  options.save_steps = 3;
  on_ranks(2, [&](Communicator& rank) {
    TrainerOptions mine = options;
    mine.ranks = &rank;
    Run run(mine);
    CHECK_THROWS_AS((void)run.trainer.fit({}, dies_at(4)), Death);
  });
  const WarningCapture warnings;
  Run run(options);
  CHECK(run.trainer.fit().steps == 6);
  REQUIRE(warnings.messages().size() == 1);
  CHECK(warnings.messages()[0].find("2 processes wrote it, 1 go on") != std::string::npos);
}

}  // namespace trainer_test
