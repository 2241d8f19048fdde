// Many prompts trained at once beside one prompt with a batch as large: equal results first, then times.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/command_line.h"
#include "engine/core/random.h"
#include "models/made_up_model.h"
#include "models/open_model.h"
#include "peft/made_up_training.h"
#include "peft/prompt_tuning.h"
#include "peft/slot_trainer.h"
#include "peft/trainer.h"

namespace preamble::bench {
namespace {

constexpr std::uint64_t kSeed = 20210418;
constexpr double kRate = 0.1;

struct Options {
  std::string model = "t5-base";
  std::int64_t slots = 16;
  std::int64_t batch = 4;
  std::int64_t prompt = 20;
  std::int64_t source = 32;
  std::int64_t target = 4;
  std::int64_t checked_steps = 2;
  std::int64_t steps = 3;
  double limit = 1.05;
  Machine machine;
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const bool folder = std::filesystem::is_directory(options.model);
    model_ = folder ? open_model(options.model) : made_up_model(options.model, random_source(kSeed));
    BatchShape shape;
    shape.sequences = 2 * options.slots * options.batch;
    shape.source = shape.tokens = options.source;
    shape.target = options.target;
    examples_ = made_up_examples(shape, *model_, kSeed);
  }

  /// True if all prompts are as their own runs make them, and as fast as wanted.
  [[nodiscard]] bool run() const {
    fmt::print("{}: {} prompts of {} rows, batches of {} each, {} source and {} target tokens\n", options_.model, options_.slots,
               options_.prompt, options_.batch, options_.source, options_.target);
    const bool equal = options_.checked_steps == 0 || check();
    return time() && equal;
  }

 private:
  [[nodiscard]] PromptSlot prompt_of(std::int64_t slot) const {
    Random random(kSeed + static_cast<std::uint64_t>(slot), 1);
    Tensor rows(Dtype::f32, {options_.prompt, model_->embedding_width()});
    for (auto& x : rows.values<float>()) x = random.uniform(-0.5F, 0.5F);
    return {std::move(rows), options_.prompt};
  }

  [[nodiscard]] PromptTuning prompts() const {
    std::vector<PromptSlot> all;
    for (std::int64_t slot = 0; slot < options_.slots; ++slot) all.push_back(prompt_of(slot));
    return PromptTuning(std::move(all));
  }

  [[nodiscard]] TrainerOptions training(std::int64_t steps, std::int64_t batch, std::int64_t slot) const {
    TrainerOptions options;
    options.max_steps = steps;
    options.batches.sequences = batch;
    options.batches.seed = static_cast<std::uint64_t>(slot);
    options.batches.source_extra = options_.prompt;
    options.learning_rate = {.peak = kRate};
    return options;
  }

  [[nodiscard]] static std::unique_ptr<Optimizer> optimizer(std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }

  [[nodiscard]] std::vector<TrainingResult> train_slots(const PromptTuning& method, std::int64_t steps) const {
    std::vector<TrainerOptions> all;
    for (std::int64_t slot = 0; slot < options_.slots; ++slot) all.push_back(training(steps, options_.batch, slot));
    return SlotTrainer(*model_, method, examples_, optimizer, std::move(all)).fit();
  }

  [[nodiscard]] TrainingResult train_one(const PromptTuning& method, std::int64_t steps, std::int64_t batch, std::int64_t slot) const {
    return Trainer(*model_, method, examples_, optimizer, training(steps, batch, slot)).fit();
  }

  [[nodiscard]] bool check() const {
    const PromptTuning together = prompts();
    (void)train_slots(together, options_.checked_steps);
    std::int64_t equal = 0, moved = 0;
    for (std::int64_t slot = 0; slot < options_.slots; ++slot) {
      const PromptTuning alone({prompt_of(slot)});
      (void)train_one(alone, options_.checked_steps, options_.batch, slot);
      const Tensor one = alone.trainables()[0].value, other = together.trainables()[static_cast<std::size_t>(slot)].value;
      equal += std::memcmp(one.data(), other.data(), one.bytes()) == 0 ? 1 : 0;
      moved += std::memcmp(one.data(), prompt_of(slot).embeddings.data(), one.bytes()) == 0 ? 0 : 1;
    }
    const bool good = equal == options_.slots && moved == options_.slots;
    fmt::print("after {} updates {} of {} prompts have the bits of a run alone, {} have moved: {}\n", options_.checked_steps, equal,
               options_.slots, moved, good ? "equal" : "DIFFERENT");
    std::fflush(stdout);
    return good;
  }

  [[nodiscard]] bool time() const {
    const std::int64_t whole = options_.slots * options_.batch;
    double slots_ms = 0, single_ms = 0;
    // twice in turn, so that a disturbance of the machine does not fall on one of both alone
    for (int round = 0; round < 2; ++round) {
      const PromptTuning many = prompts();
      const double all = train_slots(many, options_.steps).front().step_ms * static_cast<double>(options_.slots);
      const PromptTuning one({prompt_of(0)});
      const double single = train_one(one, options_.steps, whole, 0).step_ms;
      slots_ms = round == 0 ? all : std::min(slots_ms, all);
      single_ms = round == 0 ? single : std::min(single_ms, single);
    }
    const auto count = static_cast<double>(options_.slots);
    const double ratio = slots_ms / single_ms;
    fmt::print(
        "a step of all prompts: {:.1f} ms, {:.1f} ms a prompt; of one prompt with a batch of {}: {:.1f} ms, {:.1f} ms for {} sequences\n",
        slots_ms, slots_ms / count, whole, single_ms, single_ms / count, options_.batch);
    fmt::print("{:.3f} times, wanted at most {:.2f}: {}\n", ratio, options_.limit, ratio <= options_.limit ? "good" : "TOO SLOW");
    return ratio <= options_.limit;
  }

  Options options_;
  std::unique_ptr<LanguageModel> model_;
  std::vector<Example> examples_;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Many prompts trained in one program: compared with their own runs, then timed beside one prompt with a batch as large.",
               "slots");
  app.option_defaults()->always_capture_default();
  app.add_option("--model", options.model,
                 fmt::format("folder, or a published shape with random weights: {}", fmt::join(published_shapes(), ", ")));
  app.add_option("--slots", options.slots, "prompts")->check(CLI::Range(1, 1 << 10));
  app.add_option("--batch", options.batch, "sequences of each prompt")->check(CLI::Range(1, 1 << 12));
  app.add_option("--prompt", options.prompt, "rows of a prompt")->check(CLI::Range(1, 1 << 12));
  app.add_option("--source", options.source, "tokens of each source, or of each sequence of a decoder")->check(CLI::Range(2, 1 << 12));
  app.add_option("--target", options.target, "tokens of each target")->check(CLI::Range(1, 1 << 12));
  app.add_option("--checked-steps", options.checked_steps, "updates after which prompts are compared; 0: compare nothing")
      ->check(CLI::Range(0, 1 << 12));
  app.add_option("--steps", options.steps, "timed updates, twice; the median counts")->check(CLI::Range(1, 1 << 12));
  app.add_option("--limit", options.limit, "largest ratio of both times that is good")->check(CLI::PositiveNumber);
  options.machine.add_to(app, "cpu, cuda or cuda:N; elsewhere than on the CPU bits may differ");
  return parsed(app, argc, argv, [&] {
    options.machine.choose();
    return Bench(options).run() ? 0 : 1;
  });
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) { return preamble::bench::run_main("slots", argc, argv, preamble::bench::run); }
