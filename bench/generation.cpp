// Many prefixes in one batch, and generation with a cache beside generation without: results first, then times.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/command_line.h"
#include "bench/decoders.h"
#include "bench/step_times.h"
#include "engine/backend/choose.h"
#include "engine/core/error.h"
#include "engine/core/stop_watch.h"
#include "models/generate/generate.h"
#include "models/made_up_model.h"
#include "models/open_model.h"
#include "models/weight_type.h"
#include "peft/made_up_training.h"
#include "peft/prefix_tuning.h"
#include "peft/training_step.h"

namespace preamble::bench {
namespace {

constexpr std::uint64_t kSeed = 20210101;

struct Options {
  std::string model = "gpt2";
  std::string weights = "f32";
  std::int64_t sequences = 64;
  std::int64_t beams = 5;
  std::int64_t input = 16;
  std::int64_t new_tokens = 16;
  std::int64_t prefixes = 8;
  std::int64_t prefix = 10;
  int rounds = 3;
  Machine machine;
  bool no_uncached = false;
  bool time = false;
  bool by_step = false;
  bool bf16 = false;
};

using Texts = std::vector<Ids>;

/// A model, its prefixes, and a batch whose sequences use them in turn.
class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const bool folder = std::filesystem::is_directory(options.model);
    const Parameters::Options weights{.weights = weight_type_of(options.weights)};
    model_ = folder ? open_model(options.model, weights) : made_up_model(options.model, random_source(kSeed), weights);
    for (std::int64_t i = 0; i < options.prefixes; ++i) {
      const auto method =
          made_up_method({.method = "prefix", .virtual_tokens = options.prefix}, *model_, kSeed + static_cast<std::uint64_t>(i));
      slots_.push_back(dynamic_cast<const PrefixTuning&>(*method).slots().front());
    }
    BatchShape shape;
    shape.sequences = options.sequences;
    shape.source = shape.tokens = options.input;
    examples_ = made_up_examples(shape, *model_, kSeed);
    for (std::size_t i = 0; i < examples_.size(); ++i) examples_[i].slot = static_cast<std::int32_t>(i % slots_.size());
  }

  /// True if everything is as it should be.
  [[nodiscard]] bool run() {
    if (options_.time) {
      time_generation();
      return true;
    }
    bool good = training();
    good = mixed_generation() && good;
    if (!options_.no_uncached) good = uncached_generation() && good;
    return good;
  }

 private:
  [[nodiscard]] PrefixTuning method_of(std::vector<PrefixSlot> slots) const {
    return {std::move(slots), {.shifted = true, .relative = true}};
  }

  /// The examples that use a slot, as if it were the only one.
  [[nodiscard]] std::vector<Example> examples_of(std::size_t slot) const {
    std::vector<Example> some;
    for (const auto& example : examples_) {
      if (static_cast<std::size_t>(example.slot) == slot) some.push_back(example);
    }
    for (auto& example : some) example.slot = 0;
    return some;
  }

  [[nodiscard]] std::vector<Example> with_slot_0() const {
    std::vector<Example> all = examples_;
    for (auto& example : all) example.slot = 0;
    return all;
  }

  [[nodiscard]] std::unique_ptr<TrainingStep> step_of(const Method& method) const {
    TrainingStepOptions options;
    options.mean = false;  // then a mixed batch's gradients are those of its parts
    return std::make_unique<TrainingStep>(loss_model_for(*model_, examples_, {}, 1), method, options);
  }

  [[nodiscard]] bool training() {
    const PrefixTuning all = method_of(slots_);
    const auto mixed = step_of(all);
    const LossBatch mixed_batch = whole_batch(mixed->model(), examples_);
    const double loss = mixed->differentiate(std::span(&mixed_batch, 1)).loss;
    double sum = 0;
    double worst = 0;
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      const PrefixTuning one = method_of({slots_[slot]});
      const auto alone = step_of(one);
      const LossBatch batch = whole_batch(alone->model(), examples_of(slot));
      sum += alone->differentiate(std::span(&batch, 1)).loss;
      worst = std::max(worst, difference(mixed->gradient(slot), alone->gradient(0)));
    }
    const bool equal = worst < 1e-4 && std::abs(loss - sum) < 1e-5 * std::abs(sum);
    fmt::print("training step, {} prefixes in one batch: largest relative difference of a gradient to a run alone {:.1e}: {}\n",
               slots_.size(), worst, equal ? "equal" : "DIFFERENT");
    const PrefixTuning first = method_of({slots_[0]});
    const auto single = step_of(first);
    const LossBatch single_batch = whole_batch(single->model(), with_slot_0());
    const auto times = fastest({[&] { (void)mixed->differentiate(std::span(&mixed_batch, 1)); },
                                [&] { (void)single->differentiate(std::span(&single_batch, 1)); }});
    fmt::print("  {:.1f} ms, with one prefix {:.1f} ms: {:.3f} times\n", times[0] * 1e3, times[1] * 1e3, times[0] / times[1]);
    return equal;
  }

  [[nodiscard]] static double difference(std::span<const float> a, std::span<const float> b) {
    double squares = 0;
    double error = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto x = static_cast<double>(a[i]);
      const auto y = static_cast<double>(b[i]);
      squares += y * y;
      error += (x - y) * (x - y);
    }
    const bool comparable = a.size() == b.size() && squares > 0 && std::isfinite(error);
    return comparable ? std::sqrt(error / squares) : std::numeric_limits<double>::infinity();
  }

  [[nodiscard]] static Inputs inputs_of(const std::vector<Example>& examples) {
    Inputs inputs;
    for (const auto& example : examples) {
      inputs.sequences.push_back(example.source.empty() ? example.target : example.source);
      inputs.slots.push_back(example.slot);
    }
    return inputs;
  }

  [[nodiscard]] GenerationConfig config() const {
    GenerationConfig config;
    config.num_beams = static_cast<int>(options_.beams);
    config.max_new_tokens = static_cast<int>(options_.new_tokens);
    if (options_.time) config.min_new_tokens = config.max_new_tokens;
    return config;
  }

  [[nodiscard]] Texts generate_with(Generator& generator, const Inputs& inputs) const {
    const auto prompts = generator.begin(inputs);
    return generate(generator.decoder(), config(), prompts);
  }

  [[nodiscard]] GenerationShape shape() const { return {options_.beams, options_.new_tokens}; }

  [[nodiscard]] bool mixed_generation() {
    const PrefixTuning all = method_of(slots_);
    const Inputs inputs = inputs_of(examples_);
    const auto mixed = cached_generator(*model_, all, inputs, shape());
    const Texts together = generate_with(*mixed, inputs);
    std::size_t equal = 0;
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      const PrefixTuning one = method_of({slots_[slot]});
      const Inputs some = inputs_of(examples_of(slot));
      const auto alone = cached_generator(*model_, one, some, shape());
      const Texts texts = generate_with(*alone, some);
      for (std::size_t i = 0; i < texts.size(); ++i) equal += texts[i] == together[slot + i * slots_.size()] ? 1 : 0;
    }
    fmt::print("generation, {} sequences, beam {}, {} new tokens, {} prefixes in one batch: {} sequences as in runs alone: {}\n",
               together.size(), options_.beams, options_.new_tokens, slots_.size(), equal,
               equal == together.size() ? "equal" : "DIFFERENT");
    const PrefixTuning first = method_of({slots_[0]});
    const Inputs plain = inputs_of(with_slot_0());
    const auto single = cached_generator(*model_, first, plain, shape());
    const auto times = fastest({[&] { (void)generate_with(*mixed, inputs); }, [&] { (void)generate_with(*single, plain); }});
    fmt::print("  {:.1f} ms, with one prefix {:.1f} ms: {:.3f} times\n", times[0] * 1e3, times[1] * 1e3, times[0] / times[1]);
    return equal == together.size();
  }

  void time_generation() const {
    const PrefixTuning first = method_of({slots_[0]});
    const Inputs inputs = inputs_of(with_slot_0());
    const auto generator = cached_generator(*model_, first, inputs, shape());
    const double seconds = fastest({[&] { (void)generate_with(*generator, inputs); }})[0];
    const auto tokens = static_cast<double>(options_.sequences * options_.new_tokens);
    fmt::print("generation, {} sequences of {} tokens, beam {}, {} new tokens: {:.1f} ms, {:.0f} tokens/s\n", options_.sequences,
               options_.input, options_.beams, options_.new_tokens, seconds * 1e3, tokens / seconds);
    if (!options_.by_step) return;
    time_cuda_steps(default_backend(), true);
    (void)generate_with(*generator, inputs);
    time_cuda_steps(default_backend(), false);
    print_steps(cuda_step_times(default_backend()), 1);
  }

  [[nodiscard]] bool uncached_generation() {
    const PrefixTuning all = method_of(slots_);
    const Inputs inputs = inputs_of(examples_);
    const auto cached = cached_generator(*model_, all, inputs, shape());
    const auto uncached = uncached_generator(*model_, all, inputs, shape());
    const Texts with = generate_with(*cached, inputs);
    const StopWatch watch;
    const Texts without = generate_with(*uncached, inputs);
    const double first = watch.seconds();
    std::size_t equal = 0;
    for (std::size_t i = 0; i < with.size(); ++i) equal += with[i] == without[i] ? 1 : 0;
    fmt::print("generation without a cache: {} of {} sequences are the same: {}\n", equal, with.size(),
               equal == with.size() ? "equal" : "DIFFERENT");
    const auto times = fastest({[&] { (void)generate_with(*cached, inputs); }});
    fmt::print("  with the cache {:.1f} ms, without {:.1f} ms: {:.2f} times as fast\n", times[0] * 1e3, first * 1e3, first / times[0]);
    return equal == with.size();
  }

  /// Seconds of the fastest of some rounds in which all take turns.
  [[nodiscard]] std::vector<double> fastest(const std::vector<std::function<void()>>& tasks) const {
    std::vector<double> seconds(tasks.size(), std::numeric_limits<double>::max());
    for (int round = 0; round < options_.rounds; ++round) {
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        const StopWatch watch;
        tasks[i]();
        seconds[i] = std::min(seconds[i], watch.seconds());
      }
    }
    return seconds;
  }

  Options options_;
  std::unique_ptr<LanguageModel> model_;
  std::vector<PrefixSlot> slots_;
  std::vector<Example> examples_;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Many prefixes in one batch, and generation with and without a cache: results are compared, then timed.", "generation");
  app.option_defaults()->always_capture_default();
  app.add_option("--model", options.model,
                 fmt::format("folder, or a published shape with random weights: {}", fmt::join(published_shapes(), ", ")));
  app.add_option("--weights", options.weights, "how frozen matrices are held")->check(CLI::IsMember(weight_type_names()));
  app.add_option("--sequences", options.sequences)->check(CLI::Range(1, 1 << 12));
  app.add_option("--beams", options.beams)->check(CLI::Range(1, 64));
  app.add_option("--input", options.input, "tokens of each prompt or source")->check(CLI::Range(2, 1 << 12));
  app.add_option("--new-tokens", options.new_tokens)->check(CLI::Range(1, 1 << 12));
  app.add_option("--prefixes", options.prefixes, "different prefixes in the batch")->check(CLI::Range(1, 1 << 10));
  app.add_option("--prefix", options.prefix, "rows of each")->check(CLI::Range(1, 1 << 12));
  app.add_option("--rounds", options.rounds, "the fastest counts")->check(CLI::Range(1, 100));
  options.machine.add_to(app);
  app.add_flag("--bf16", options.bf16, "activations and weights in bf16");
  app.add_flag("--time", options.time, "tokens per second with one prefix alone: nothing is compared, and no sequence ends early");
  app.add_flag("--by-step", options.by_step, "with --time on a GPU: also what each step of the programs takes");
  app.add_flag("--no-uncached", options.no_uncached, "leave the generation without a cache out");
  return parsed(app, argc, argv, [&] {
    options.machine.choose();
    if (options.bf16) set_default_activations(Dtype::bf16);
    return Bench(options).run() ? 0 : 1;
  });
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) { return preamble::bench::run_main("generation", argc, argv, preamble::bench::run); }
