// Several ranks against parts on one process, for every family.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/sharded_batches.h"
#include "engine/core/warnings.h"
#include "peft/prefix_tuning.h"
#include "peft/prompt_tuning.h"
#include "peft/trainer.h"
#include "tests/support/bert_models.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/rank_threads.h"
#include "tests/support/t5_models.h"
#include "tests/support/values.h"

namespace ranks_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::unique_ptr<Optimizer> adamw(std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }

TrainerOptions options_for(double dropout) {
  TrainerOptions options;
  options.max_steps = 5;
  options.learning_rate = {.peak = 0.05, .kind = ScheduleKind::linear, .total_steps = 5};
  options.step.max_grad_norm = 0.5;
  options.step.dropout_seed = 5;
  options.step.dropout = {dropout, dropout, 0};
  return options;
}

std::vector<Example> data(bool classes) {
  std::vector<Example> examples;
  for (std::int32_t i = 0; i < 7; ++i) {
    Example example{.source = {5 + i, 17, 33 + i, 8}, .target = {10 + i % 2, 11}};
    for (std::int32_t k = 0; k < i % 3; ++k) example.source.push_back(40 + k);
    if (classes) example.label = i % 3;
    examples.push_back(example);
  }
  return examples;
}

/// All trained numbers behind the last step.
std::vector<double> values_of(const Trainer& trainer) {
  std::vector<double> values;
  for (const auto& trainable : trainer.step().trainables()) {
    const auto these = numbers(trainable.value);
    values.insert(values.end(), these.begin(), these.end());
  }
  return values;
}

/// The same examples in four files of unequal lengths.
std::unique_ptr<ShardedBatches> shards(bool classes, bool joint, const BatchRules& rules, Communicator& ranks) {
  const auto examples = data(classes);
  const std::size_t ends[] = {0, 1, 3, 4, 7};
  const RankShare own = own_shards(4, ranks);
  std::vector<Shard> shards;
  for (std::size_t i = own.begin; i < own.end; ++i) {
    Shard shard{{examples.begin() + static_cast<std::ptrdiff_t>(ends[i]), examples.begin() + static_cast<std::ptrdiff_t>(ends[i + 1])}, {}};
    shard.lengths = joint ? joint_lengths_of(shard.examples) : lengths_of(shard.examples);
    shards.push_back(std::move(shard));
  }
  return std::make_unique<ShardedBatches>(std::move(shards), 4, rules, ranks);
}

/// Trains on all examples, or on those shards of theirs that are this rank's.
template <class Model>
std::vector<double> train_on(Model& model, const Method& method, bool classes, bool joint, bool sharded, const TrainerOptions& options) {
  SingleProcess alone;
  Communicator& ranks = options.ranks != nullptr ? *options.ranks : alone;
  auto trainer = sharded ? std::make_unique<Trainer>(model, method, shards(classes, joint, options.batches, ranks), adamw, options)
                         : std::make_unique<Trainer>(model, method, data(classes), adamw, options);
  (void)trainer->fit();
  return values_of(*trainer);
}

using Train = std::function<std::vector<double>(const TrainerOptions&, bool sharded)>;

std::vector<double> train_t5(const TrainerOptions& options, bool sharded) {
  const auto model = golden_t5();
  const PromptTuning method({random_prompt(3, model->embedding_width(), 4)});
  return train_on<LanguageModel>(*model, method, false, false, sharded, options);
}

std::vector<double> train_gpt2(const TrainerOptions& options, bool sharded) {
  const auto model = golden_gpt2();
  const PromptTuning method({random_prompt(3, model->embedding_width(), 4)});
  return train_on<LanguageModel>(*model, method, false, true, sharded, options);
}

std::vector<double> train_bert(const TrainerOptions& options, bool sharded) {
  const auto model = golden_bert();
  const PrefixTuning method = deep_prompt(*model, 2, 3);
  const HeadedEncoder encoder{*model, {Head::fresh(*model, HeadKind::sequence, 3, 7, "")}};
  return train_on<const HeadedEncoder>(encoder, method, true, false, sharded, options);
}

}  // namespace

TEST_CASE("ranks: N of them give the bits of N parts on one process, for every family, with and without dropout, from one file and from shards") {
  const WarningCapture quiet;
  for (const auto& [name, train] : {std::pair<std::string, Train>{"t5", train_t5}, {"gpt2", train_gpt2}, {"bert", train_bert}}) {
    for (const double dropout : {0.0, 0.1}) {
      for (const bool sharded : {false, true}) {
        for (const int size : {1, 2, 4}) {
          CAPTURE(name);
          CAPTURE(dropout);
          CAPTURE(sharded);
          CAPTURE(size);
          const auto options_here = [&] {
            TrainerOptions options = options_for(dropout);
            // of 7 examples: the second batch leaves ranks without a part, and shards end at different batches
            options.batches.sequences = sharded ? 4 : 5;
            return options;
          };
          TrainerOptions parts = options_here();
          parts.gradient_accumulation_steps = size;
          const auto straight = train(parts, sharded);
          std::vector<std::vector<double>> values(static_cast<std::size_t>(size));
          on_ranks(size, [&](Communicator& rank) {
            TrainerOptions options = options_here();
            options.ranks = &rank;
            values[static_cast<std::size_t>(rank.rank())] = train(options, sharded);
          });
          for (const auto& of_rank : values) CHECK(of_rank == straight);
        }
      }
    }
  }
}

TEST_CASE("ranks: parts of shards may be accumulated on each rank, too") {
  const WarningCapture quiet;
  TrainerOptions parts = options_for(0.1);
  parts.batches.sequences = 8;
  parts.gradient_accumulation_steps = 8;
  const auto straight = train_t5(parts, true);
  for (const int size : {2, 4}) {
    std::vector<std::vector<double>> values(static_cast<std::size_t>(size));
    on_ranks(size, [&](Communicator& rank) {
      TrainerOptions options = parts;
      options.gradient_accumulation_steps = 8 / size;
      options.ranks = &rank;
      values[static_cast<std::size_t>(rank.rank())] = train_t5(options, true);
    });
    for (const auto& of_rank : values) CHECK(of_rank == values.front());
    // the parts of a rank are added up before those of the next one: another order of sums
    REQUIRE(values.front().size() == straight.size());
    for (std::size_t i = 0; i < straight.size(); ++i) CHECK(values.front()[i] == doctest::Approx(straight[i]).epsilon(1e-3));
  }
}

}  // namespace ranks_test
