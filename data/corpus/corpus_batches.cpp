#include "data/corpus/corpus_batches.h"

#include <utility>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

// keep these draws apart from other uses of the same seed
constexpr std::uint64_t kOrderStream = 0xC0B0000000000000ULL;
constexpr std::uint64_t kNoiseStream = 0xC0A0000000000000ULL;

/// Passes have streams of their own; a pass has fewer windows than this.
constexpr std::uint64_t kPass = std::uint64_t{1} << 36U;

constexpr std::size_t kNumbers = 6;  ///< of a position

}  // namespace

CorpusBatches::CorpusBatches(TokenWindows windows, const Objective& objective, const CorpusRules& rules)
    : windows_(std::move(windows)), objective_(objective), rules_(rules) {
  require<ConfigError>(rules.sequences > 0 && rules.shuffle_windows > 0, "text: batches of {} windows shuffled among {}; wanted 1 at least",
                       rules.sequences, rules.shuffle_windows);
}

void CorpusBatches::load() {
  pool_.clear();
  used_ = 0;
  while (std::ssize(pool_) < rules_.shuffle_windows) {
    auto window = windows_.next();
    if (!window) break;
    pool_.push_back(*std::move(window));
  }
  Random random(rules_.seed, kOrderStream + pass_ * kPass + before_);
  order_ = random.permutation(static_cast<std::uint32_t>(pool_.size()));
}

void CorpusBatches::refill() {
  before_ += pool_.size();
  start_ = windows_.position();
  load();
  if (!pool_.empty()) return;
  require<ConfigError>(before_ > 0, "{}: no window of {} tokens; wanted more text", windows_.reader().describe(), windows_.rules().shortest);
  ++pass_;
  before_ = 0;
  windows_.rewind();
  start_ = {};
  load();
}

Example CorpusBatches::example() {
  if (used_ == pool_.size()) refill();
  const std::uint64_t number = order_[used_++];
  Random random(rules_.seed, kNoiseStream + pass_ * kPass + before_ + number);
  return objective_.make(pool_[number], random);
}

std::span<const Example* const> CorpusBatches::next() {
  batch_.clear();
  pointers_.clear();
  for (std::int64_t i = 0; i < rules_.sequences; ++i) batch_.push_back(example());
  for (const auto& example : batch_) pointers_.push_back(&example);
  ++batches_;
  return pointers_;
}

BatchPosition CorpusBatches::position() const {
  return {pass_, batches_, {start_.piece.file, start_.piece.byte, start_.piece.continues ? 1U : 0U, start_.token, before_, used_}};
}

void CorpusBatches::seek(const BatchPosition& position) {
  require<ConfigError>(position.stream.size() == kNumbers, "text: a position of {} numbers was given; wanted {}", position.stream.size(), kNumbers);
  const auto& s = position.stream;
  pass_ = position.epoch;
  batches_ = position.batch;
  start_ = {{s[0], s[1], s[2] != 0}, s[3]};
  before_ = s[4];
  windows_.seek(start_);
  load();
  require<ConfigError>(s[5] <= pool_.size(), "text: window {} of {} was asked for; wanted another position", s[5], pool_.size());
  used_ = s[5];
}

std::string CorpusBatches::describe() const {
  return fmt::format("{}, {}, {}, batches of {} shuffled among {}, seed {}", windows_.reader().describe(), windows_.rules().describe(),
                     objective_.describe(), rules_.sequences, rules_.shuffle_windows, rules_.seed);
}

std::vector<Example> first_examples(TokenWindows windows, const Objective& objective, std::int64_t count, std::uint64_t seed) {
  std::vector<Example> examples;
  while (std::ssize(examples) < count) {
    const auto window = windows.next();
    if (!window) break;
    Random random(seed, kNoiseStream + examples.size());
    examples.push_back(objective.make(*window, random));
  }
  require<ConfigError>(!examples.empty(), "{}: no window of {} tokens; wanted more text", windows.reader().describe(), windows.rules().shortest);
  return examples;
}

}  // namespace preamble
