#include "peft/training_state.h"

#include <algorithm>
#include <csignal>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/runtime/update.h"
#include "tests/support/residence.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace training_state_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const RunIdentity kIdentity = {{"method", "prompt"}, {"tokens", "2"}};

/// One trainable matrix and its optimizer.
struct Run {
  Run()
      : trainables{{"prompt_embeddings", Tensor(tensor_of({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}))}},
        optimizer(make_adamw({{2, 3}}, {})) {}

  void step(float gradient) {
    const std::vector<float> gradients = {gradient, -gradient, 2, 0.5F, gradient, 1};
    const std::vector<ParameterUpdate> updates = {{"prompt_embeddings", trainables[0].value, tensor_of({2, 3}, gradients)}};
    CHECK(Update(*optimizer, updates, Tensor(Dtype::f32, {}), 0).run(0.1).applied);
  }
  [[nodiscard]] std::vector<double> values() const { return numbers(downloaded(trainables[0].value)); }
  /// Everything that a state holds, as the device has it.
  void download() const {
    for (const auto& trainable : trainables) (void)downloaded(trainable.value);
    for (const auto& [name, tensor] : optimizer->state()) (void)downloaded(tensor);
  }

  std::vector<Trainable> trainables;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<Tensor> best;
};

TrainingState state_at(std::int64_t step) {
  TrainingState state;
  state.step = step;
  state.position = {.epoch = 3, .batch = 7, .stream = {0, 18446744073709551615ULL, 5}};
  state.evaluations_without_gain = 2;
  state.best_metric = 0.1 + 0.2;  // no short decimal
  state.best_step = 1;
  state.last_loss = 0.7;
  state.identity = kIdentity;
  return state;
}

void load(const TemporaryFolder& folder, const RunIdentity& identity = kIdentity) {
  Run run;
  (void)TrainingState::load(folder.path(), identity, run.trainables, *run.optimizer, run.best);
}

}  // namespace

TEST_CASE("training state: a run that stops and goes on has the bits of one that never stopped") {
  const TemporaryFolder folder;
  Run whole;
  Run first;
  for (auto* run : {&whole, &first}) run->step(0.3F), run->step(-0.7F);
  first.download();
  state_at(2).save(folder.path(), first.trainables, *first.optimizer, {});

  Run second;
  void* memory = second.trainables[0].value.data();
  const TrainingState state = TrainingState::load(folder.path(), kIdentity, second.trainables, *second.optimizer, second.best);
  CHECK(state.step == 2);
  CHECK(state.position == BatchPosition{.epoch = 3, .batch = 7, .stream = {0, 18446744073709551615ULL, 5}});
  CHECK(state.evaluations_without_gain == 2);
  CHECK(state.best_metric == 0.1 + 0.2);
  CHECK(state.best_step == 1);
  CHECK(state.last_loss == 0.7);
  CHECK(second.optimizer->steps() == 2);
  // programs read this memory: values are restored in place
  CHECK(second.trainables[0].value.data() == memory);
  for (auto* run : {&whole, &second}) run->step(0.2F), run->step(0.9F);
  CHECK(second.values() == whole.values());
  CHECK(whole.values() != first.values());
}

TEST_CASE("training state: the best values are kept apart from the last ones") {
  const TemporaryFolder folder;
  Run run;
  const std::vector<Tensor> best = {run.trainables[0].value.clone()};
  run.step(1);
  run.download();
  state_at(1).save(folder.path(), run.trainables, *run.optimizer, best);
  Run other;
  other.best = {Tensor(), Tensor()};
  (void)TrainingState::load(folder.path(), kIdentity, other.trainables, *other.optimizer, other.best);
  REQUIRE(other.best.size() == 1);
  CHECK(numbers(other.best[0]) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(other.values() == run.values());
}

TEST_CASE("training state: before any evaluation there is no best") {
  const TemporaryFolder folder;
  Run run;
  TrainingState state = state_at(0);
  state.best_metric.reset();
  state.save(folder.path(), run.trainables, *run.optimizer, {});
  Run other;
  other.best = {Tensor()};
  CHECK(!TrainingState::load(folder.path(), kIdentity, other.trainables, *other.optimizer, other.best).best_metric);
  CHECK(other.best.empty());
}

TEST_CASE("training state: a state of another run is refused with both") {
  const TemporaryFolder folder;
  const Run run;
  state_at(1).save(folder.path(), run.trainables, *run.optimizer, {});
  const std::string file = TrainingState::path(folder.path()).string();
  CHECK_THROWS_WITH_AS(load(folder, {{"method", "prompt"}, {"tokens", "3"}}),
                       (file + ": it belongs to another run: tokens: '2' there, '3' here").c_str(), ConfigError);
  CHECK_THROWS_WITH_AS(load(folder, {{"method", "prefix"}, {"tokens", "2"}, {"seed", "1"}}),
                       (file + ": it belongs to another run: method: 'prompt' there, 'prefix' here; seed: nothing there, '1' here").c_str(),
                       ConfigError);
  CHECK_THROWS_WITH_AS(load(folder, {{"method", "prompt"}}),
                       (file + ": it belongs to another run: tokens: '2' there, nothing here").c_str(), ConfigError);
}

TEST_CASE("training state: a state that is refused changes nothing") {
  const TemporaryFolder folder;
  Run run;
  run.step(1);
  const std::vector<Tensor> best = {run.trainables[0].value.clone()};
  state_at(1).save(folder.path(), run.trainables, *run.optimizer, best);
  Run other;
  const auto before = other.values();
  other.optimizer = make_sgd({{2, 3}}, {.momentum = 0.9});
  CHECK_THROWS_AS((void)TrainingState::load(folder.path(), kIdentity, other.trainables, *other.optimizer, other.best), FileError);
  CHECK(other.values() == before);
  CHECK(other.best.empty());
}

TEST_CASE("training state: a damaged file is an error, at whatever byte it ends") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load(folder), FileError);
  Run run;
  run.step(1);
  run.download();
  state_at(1).save(folder.path(), run.trainables, *run.optimizer, {});
  const std::string whole = read_text(TrainingState::path(folder.path()));
  for (std::size_t size = 0; size < whole.size(); size += 31) {
    folder.write("trainer_state.safetensors", std::string_view(whole).substr(0, size));
    CHECK_THROWS_AS(load(folder), FileError);
  }
}

TEST_CASE("training state: a process that is killed while it saves leaves the old state or the new one") {
  const TemporaryFolder folder;
  // large enough for a kill to hit the writing
  constexpr std::int64_t kCount = 1 << 19;
  const auto trainables = [](float value) {
    std::vector<Trainable> made = {{"prompt_embeddings", Tensor(Dtype::f32, {kCount})}};
    std::ranges::fill(made[0].value.values<float>(), value);
    return made;
  };
  const auto optimizer = make_sgd({{kCount}}, {});
  const auto save = [&](std::int64_t step) { state_at(step).save(folder.path(), trainables(static_cast<float>(step)), *optimizer, {}); };
  save(0);
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (std::int64_t step = 1;; ++step) save(step);
    }
    ::usleep(static_cast<useconds_t>(3000 + 2500 * kill));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    auto restored = trainables(-1);
    std::vector<Tensor> best;
    const TrainingState state = TrainingState::load(folder.path(), kIdentity, restored, *optimizer, best);
    const auto values = std::as_const(restored[0].value).values<float>();
    CHECK(std::ranges::all_of(values, [&](float x) { return x == static_cast<float>(state.step); }));
  }
}

TEST_CASE("training state: says what is missing or has another shape") {
  const TemporaryFolder folder;
  const auto path = TrainingState::path(folder.path());
  const std::string file = path.string();
  std::map<std::string, std::string> metadata = {{"format", "preamble-trainer-state-2"},
                                                 {"step", "1"},
                                                 {"epoch", "0"},
                                                 {"batch", "0"},
                                                 {"evaluations_without_gain", "0"},
                                                 {"best_step", "0"},
                                                 {"last_loss", "0.5"},
                                                 {"run.method", "prompt"},
                                                 {"run.tokens", "2"}};
  const auto put = [&](const Tensor& value) {
    write_safetensors(path, std::vector<std::pair<std::string, Tensor>>{{"value.prompt_embeddings", value}}, metadata);
  };
  put(Tensor(Dtype::f32, {3, 3}));
  CHECK_THROWS_WITH_AS(load(folder), (file + ": 'value.prompt_embeddings' is F32 [3, 3]; wanted F32 [2, 3]").c_str(), FileError);
  metadata["step"] = "1x";
  put(Tensor(Dtype::f32, {2, 3}));
  CHECK_THROWS_WITH_AS(load(folder), (file + ": metadata 'step' is '1x'; wanted a number").c_str(), FileError);
  metadata.erase("step");
  put(Tensor(Dtype::f32, {2, 3}));
  CHECK_THROWS_WITH_AS(load(folder), (file + ": metadata 'step' is missing; wanted a state written by preamble train").c_str(), FileError);
  metadata["format"] = "pt";
  put(Tensor(Dtype::f32, {2, 3}));
  CHECK_THROWS_WITH_AS(load(folder), (file + ": format 'pt' was given; wanted preamble-trainer-state-2").c_str(), FileError);
}

}  // namespace training_state_test
