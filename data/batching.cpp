#include "data/batching.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

// keeps the shuffles apart from other uses of the same seed
constexpr std::uint64_t kShuffleStream = 0xBA7C000000000000ULL;

/// Source rows of an example with its prompts.
std::int64_t source_of(const ExampleLength& length, const BatchRules& rules) noexcept {
  return length.source + length.sequences * rules.source_extra;
}

bool passes(std::int64_t value, std::int64_t limit) noexcept { return limit > 0 && value > limit; }

template <class T>
void shuffle(std::span<T> items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(static_cast<std::uint32_t>(i))]);
}

}  // namespace

std::vector<ExampleLength> lengths_of(std::span<const Example> examples) {
  std::vector<ExampleLength> lengths;
  lengths.reserve(examples.size());
  for (const Example& e : examples) lengths.push_back({std::ssize(e.source), std::ssize(e.target), e.row, e.sequences(), e.head});
  return lengths;
}

std::vector<ExampleLength> joint_lengths_of(std::span<const Example> examples) {
  std::vector<ExampleLength> lengths = lengths_of(examples);
  for (ExampleLength& length : lengths) length.source += std::exchange(length.target, 0);
  return lengths;
}

Batcher::Batcher(std::vector<ExampleLength> lengths, BatchRules rules) : lengths_(std::move(lengths)), rules_(std::move(rules)) {
  check();
  order_.resize(lengths_.size());
  begin_epoch(0);
}

void Batcher::check() const {
  const BatchRules& r = rules_;
  require<ConfigError>(!lengths_.empty(), "batches: no examples; wanted at least one");
  require<ConfigError>(lengths_.size() < std::numeric_limits<std::uint32_t>::max(), "batches: {} examples; wanted fewer than 2^32",
                       lengths_.size());
  const std::int64_t smallest = std::min({r.sequences, r.source_rows, r.target_rows, r.source_extra, r.target_extra, r.length_window});
  require<ConfigError>(smallest >= 0, "batches: a limit of {}; wanted no negative number", smallest);
  require<ConfigError>(r.sequences + r.source_rows + r.target_rows > 0, "batches: no limit; wanted one of sequences or rows");
  for (const double rate : r.task_rates)
    require<ConfigError>(rate >= 0 && std::isfinite(rate), "batches: a task has rate {}; wanted a finite number >= 0", rate);
  for (std::size_t task = 0; task < r.task_rates.size(); ++task) {
    const bool present = std::ranges::any_of(lengths_, [&](const ExampleLength& length) { return length.task == static_cast<std::int32_t>(task); });
    require<ConfigError>(present || r.task_rates[task] == 0, "batches: task {} has rate {} and no examples", task, r.task_rates[task]);
  }
  require<ConfigError>(r.task_rates.empty() || std::accumulate(r.task_rates.begin(), r.task_rates.end(), 0.0) > 0,
                       "batches: the rates of all {} tasks are 0; wanted one above it", r.task_rates.size());
  for (const ExampleLength& length : lengths_) {
    require<ConfigError>(r.task_rates.empty() || (length.task >= 0 && static_cast<std::size_t>(length.task) < r.task_rates.size()),
                         "batches: an example of task {}; there are {} rates", length.task, r.task_rates.size());
    const std::int64_t source = source_of(length, r);
    const std::int64_t target = length.target + r.target_extra;
    require<ConfigError>(!passes(source, r.source_rows),
                         "batches: the example of row {} takes {} source rows ({} of them prompt); wanted at most {}", length.row, source,
                         length.sequences * r.source_extra, r.source_rows);
    require<ConfigError>(!passes(target, r.target_rows),
                         "batches: the example of row {} takes {} target rows ({} of them prompt); wanted at most {}", length.row, target,
                         r.target_extra, r.target_rows);
  }
}

void Batcher::begin_epoch(std::uint64_t epoch) {
  position_ = {epoch, 0};
  Random random(rules_.seed, kShuffleStream + epoch);
  std::iota(order_.begin(), order_.end(), 0U);
  if (!rules_.task_rates.empty()) {
    draw_mixture(random);
  } else if (rules_.shuffle) {
    shuffle(std::span(order_), random);
  }
  if (rules_.length_window > 0) {
    const auto total = [&](std::uint32_t i) { return lengths_[i].source + lengths_[i].target; };
    const auto window = static_cast<std::size_t>(rules_.length_window);
    for (std::size_t first = 0; first < order_.size(); first += std::min(window, order_.size() - first)) {
      const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(window, order_.size() - first));
      // stable: among equal lengths the shuffled order stays, so batches differ from epoch to epoch
      std::stable_sort(begin, end, [&](std::uint32_t a, std::uint32_t b) { return total(a) > total(b); });
    }
  }
  form_batches();
  if (rules_.shuffle && rules_.length_window > 0) shuffle(std::span(batches_), random);
}

void Batcher::draw_mixture(Random& random) {
  std::vector<std::vector<std::uint32_t>> of_task(rules_.task_rates.size());
  for (const std::uint32_t i : order_) of_task[static_cast<std::size_t>(lengths_[i].task)].push_back(i);
  std::vector<std::size_t> next(of_task.size());
  std::vector<double> ends(of_task.size());
  std::partial_sum(rules_.task_rates.begin(), rules_.task_rates.end(), ends.begin());
  for (std::uint32_t& drawn : order_) {
    const double at = random.uniform() * ends.back();
    std::size_t task = 0;
    while (task + 1 < ends.size() && (at >= ends[task] || rules_.task_rates[task] == 0)) ++task;
    if (next[task] == 0 && rules_.shuffle) shuffle(std::span(of_task[task]), random);
    drawn = of_task[task][next[task]];
    next[task] = (next[task] + 1) % of_task[task].size();
  }
}

void Batcher::form_batches() {
  batches_.clear();
  Batch batch;
  std::int64_t source = 0;
  std::int64_t target = 0;
  const auto is_full = [&](const ExampleLength& next) {
    return passes(batch.count + 1, rules_.sequences) || passes(source + source_of(next, rules_), rules_.source_rows) ||
           passes(target + next.target + rules_.target_extra, rules_.target_rows);
  };
  for (const std::uint32_t index : order_) {
    const ExampleLength& next = lengths_[index];
    if (batch.count > 0 && is_full(next)) {
      batches_.push_back(std::exchange(batch, {batch.first + batch.count, 0}));
      source = target = 0;
    }
    ++batch.count;
    source += source_of(next, rules_);
    target += next.target + rules_.target_extra;
  }
  // by rows a batch is full when nothing more would fit, by sequences when their number is reached
  const bool full = batch.count == rules_.sequences || is_full({1, 1, 0});
  if (full || !rules_.drop_last) batches_.push_back(batch);
  require<ConfigError>(!batches_.empty(), "batches: {} examples do not fill one batch and the last is dropped; wanted more examples",
                       order_.size());
}

std::span<const std::uint32_t> Batcher::next() {
  if (position_.batch == batches_.size()) begin_epoch(position_.epoch + 1);
  const Batch batch = batches_[position_.batch++];
  return std::span(order_).subspan(batch.first, batch.count);
}

BatchPosition Batcher::position() const noexcept {
  return position_.batch < batches_.size() ? position_ : BatchPosition{position_.epoch + 1, 0};
}

void Batcher::seek(const BatchPosition& position) {
  if (position.epoch != position_.epoch) begin_epoch(position.epoch);
  require<ConfigError>(position.batch < batches_.size(), "batches: position {} of epoch {}; wanted below {}", position.batch,
                       position.epoch, batches_.size());
  position_ = position;
}

}  // namespace preamble
