#include "data/batching.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"

namespace batching_test {

using namespace preamble;

namespace {

using Batch = std::vector<std::uint32_t>;

std::vector<ExampleLength> random_lengths(std::int64_t count) {
  Random random(7);
  std::vector<ExampleLength> lengths;
  for (std::int64_t i = 0; i < count; ++i) lengths.push_back({1 + random.below(30), random.below(6), i});
  return lengths;
}

std::vector<Batch> take(Batcher& batcher, std::int64_t count) {
  std::vector<Batch> batches;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto next = batcher.next();
    batches.emplace_back(next.begin(), next.end());
  }
  return batches;
}

std::vector<Batch> take_epoch(Batcher& batcher) {
  const std::uint64_t epoch = batcher.position().epoch;
  std::vector<Batch> batches;
  while (batcher.position().epoch == epoch) batches.push_back(take(batcher, 1)[0]);
  return batches;
}

Batch sorted_members(const std::vector<Batch>& batches) {
  Batch all;
  for (const Batch& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  std::sort(all.begin(), all.end());
  return all;
}

Batch range(std::uint32_t count) {
  Batch all(count);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

/// Examples of tasks 0, 0, 0, 1, 1, 1, 1, 1, 1, 1: as many as `counts` say.
std::vector<ExampleLength> tasks_of(const std::vector<std::int64_t>& counts) {
  std::vector<ExampleLength> lengths;
  for (std::size_t task = 0; task < counts.size(); ++task) {
    for (std::int64_t i = 0; i < counts[task]; ++i) lengths.push_back({3, 1, i, 1, static_cast<std::int32_t>(task)});
  }
  return lengths;
}

const std::vector<BatchRules> kRules = {
    {.sequences = 8},
    {.sequences = 8, .shuffle = false},
    {.source_rows = 100},
    {.source_rows = 100, .target_rows = 20, .source_extra = 5, .target_extra = 2},
    {.sequences = 4, .source_rows = 64, .seed = 9, .length_window = 50},
    {.source_rows = 100, .length_window = 1000},
};

}  // namespace

TEST_CASE("batching: every example is in exactly one batch of every epoch") {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    CAPTURE(i);
    Batcher batcher(random_lengths(203), kRules[i]);
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      CHECK(batcher.position() == BatchPosition{epoch, 0});
      const auto batches = take_epoch(batcher);
      CHECK(sorted_members(batches) == range(203));
      CHECK(batcher.steps_per_epoch() == std::ssize(batches));
    }
  }
}

TEST_CASE("batching: no batch passes a limit, and none is closed early") {
  const auto lengths = random_lengths(203);
  const BatchRules rules{.sequences = 9, .source_rows = 100, .target_rows = 20, .source_extra = 5, .target_extra = 1};
  const auto total = [&](const Batch& batch) {
    ExampleLength sum;
    for (const std::uint32_t i : batch) {
      sum.source += lengths[i].source + rules.source_extra;
      sum.target += lengths[i].target + rules.target_extra;
    }
    return sum;
  };
  Batcher batcher(lengths, rules);
  const auto batches = take_epoch(batcher);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    CHECK(batches[i].size() <= 9);
    CHECK(total(batches[i]).source <= 100);
    CHECK(total(batches[i]).target <= 20);
    if (i + 1 == batches.size()) break;
    Batch more = batches[i];
    more.push_back(batches[i + 1][0]);
    CHECK((more.size() > 9 || total(more).source > 100 || total(more).target > 20));
  }
}

TEST_CASE("batching: fixed sizes count batches as expected") {
  CHECK(Batcher(random_lengths(203), {.sequences = 8}).steps_per_epoch() == 26);
  CHECK(Batcher(random_lengths(203), {.sequences = 8, .drop_last = true}).steps_per_epoch() == 25);
  CHECK(Batcher(random_lengths(200), {.sequences = 8, .drop_last = true}).steps_per_epoch() == 25);
}

TEST_CASE("batching: drop_last leaves out the unfinished batch alone") {
  Batcher batcher(random_lengths(203), {.sequences = 8, .length_window = 64, .drop_last = true});
  const auto batches = take_epoch(batcher);
  for (const Batch& batch : batches) CHECK(batch.size() == 8);
  const Batch members = sorted_members(batches);
  CHECK(std::set<std::uint32_t>(members.begin(), members.end()).size() == 200);
}

TEST_CASE("batching: without shuffling the order is that of the data") {
  Batcher batcher(random_lengths(10), {.sequences = 4, .shuffle = false});
  CHECK(take(batcher, 4) == std::vector<Batch>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}, {0, 1, 2, 3}});
}

TEST_CASE("batching: the order depends on seed and epoch alone") {
  const auto lengths = random_lengths(100);
  Batcher one(lengths, {.sequences = 8, .seed = 1});
  Batcher same(lengths, {.sequences = 8, .seed = 1});
  Batcher other(lengths, {.sequences = 8, .seed = 2});
  const auto first = take_epoch(one);
  CHECK(first == take_epoch(same));
  CHECK(first != take_epoch(other));
  CHECK(first != take_epoch(one));
}

TEST_CASE("batching: goes on exactly where it stood") {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    CAPTURE(i);
    for (const std::int64_t steps : {0, 1, 5, 30, 61}) {
      Batcher whole(random_lengths(203), kRules[i]);
      (void)take(whole, steps);
      const BatchPosition position = whole.position();
      Batcher resumed(random_lengths(203), kRules[i]);
      (void)take(resumed, 2);
      resumed.seek(position);
      CHECK(resumed.position() == position);
      CHECK(take(whole, 70) == take(resumed, 70));
      CHECK(whole.position() == resumed.position());
    }
  }
}

TEST_CASE("batching: length windows put equal lengths together and still differ between epochs") {
  const auto lengths = random_lengths(1000);
  const auto spread = [&](const std::vector<Batch>& batches) {
    std::int64_t sum = 0;
    for (const Batch& batch : batches) {
      const auto [low, high] = std::minmax_element(batch.begin(), batch.end(), [&](auto a, auto b) {
        return lengths[a].source + lengths[a].target < lengths[b].source + lengths[b].target;
      });
      sum += lengths[*high].source + lengths[*high].target - lengths[*low].source - lengths[*low].target;
    }
    return sum;
  };
  Batcher plain(lengths, {.sequences = 10});
  Batcher grouped(lengths, {.sequences = 10, .length_window = 1000});
  const auto first = take_epoch(grouped);
  CHECK(10 * spread(first) < spread(take_epoch(plain)));
  const auto second = take_epoch(grouped);
  const std::set<Batch> known(first.begin(), first.end());
  CHECK(std::none_of(second.begin(), second.end(), [&](const Batch& batch) { return known.contains(batch); }));
  // the batches come shuffled, not from long to short
  CHECK_FALSE(std::is_sorted(first.begin(), first.end(),
                             [&](const Batch& a, const Batch& b) { return lengths[a[0]].source > lengths[b[0]].source; }));
}

TEST_CASE("batching: lengths of examples, apart and joint") {
  const std::vector<Example> examples = {{.source = {1, 2, 3}, .target = {4}, .row = 5}, {.source = {1}, .row = 6}};
  CHECK(lengths_of(examples)[0].source == 3);
  CHECK(lengths_of(examples)[0].target == 1);
  CHECK(lengths_of(examples)[1].row == 6);
  CHECK(joint_lengths_of(examples)[0].source == 4);
  CHECK(joint_lengths_of(examples)[0].target == 0);
}

TEST_CASE("batching: an example above a limit is an error that names its row") {
  CHECK_THROWS_WITH_AS(Batcher({{5, 1, 0}, {90, 1, 17}}, {.source_rows = 100, .source_extra = 20}),
                       "batches: the example of row 17 takes 110 source rows (20 of them prompt); wanted at most 100", ConfigError);
  CHECK_THROWS_WITH_AS(Batcher({{5, 8, 3}}, {.target_rows = 7}),
                       "batches: the example of row 3 takes 8 target rows (0 of them prompt); wanted at most 7", ConfigError);
  CHECK(Batcher({{80, 1, 0}}, {.source_rows = 100, .source_extra = 20}).next().size() == 1);
}

TEST_CASE("batching: rejects rules that make no batches") {
  CHECK_THROWS_WITH_AS(Batcher({}, {.sequences = 1}), "batches: no examples; wanted at least one", ConfigError);
  CHECK_THROWS_WITH_AS(Batcher({{1, 1, 0}}, {}), "batches: no limit; wanted one of sequences or rows", ConfigError);
  CHECK_THROWS_WITH_AS(Batcher({{1, 1, 0}}, {.sequences = -4}), "batches: a limit of -4; wanted no negative number", ConfigError);
  CHECK_THROWS_WITH_AS(Batcher({{1, 1, 0}}, {.sequences = 2, .drop_last = true}),
                       "batches: 1 examples do not fill one batch and the last is dropped; wanted more examples", ConfigError);
}

TEST_CASE("batching: rejects a position behind the end of its epoch") {
  Batcher batcher(random_lengths(10), {.sequences = 4});
  CHECK_THROWS_WITH_AS(batcher.seek({2, 3}), "batches: position 3 of epoch 2; wanted below 3", ConfigError);
  batcher.seek({2, 2});
  CHECK(batcher.next().size() == 2);
  CHECK(batcher.position() == BatchPosition{3, 0});
}

TEST_CASE("batching: an example with choices counts once, and its prompts as often as it has sequences") {
  // 10 rows and 3 prompts of 2 rows each
  const std::vector<ExampleLength> lengths = {{10, 0, 0, 3}, {10, 0, 1, 3}, {10, 0, 2, 3}};
  Batcher by_number(lengths, {.sequences = 2, .source_extra = 2, .shuffle = false});
  CHECK(by_number.next().size() == 2);
  Batcher by_rows(lengths, {.source_rows = 32, .source_extra = 2, .shuffle = false});
  CHECK(by_rows.next().size() == 2);
  Batcher fewer(lengths, {.source_rows = 31, .source_extra = 2, .shuffle = false});
  CHECK(fewer.next().size() == 1);
  CHECK_THROWS_WITH_AS(Batcher(lengths, {.source_rows = 15, .source_extra = 2}),
                       "batches: the example of row 0 takes 16 source rows (6 of them prompt); wanted at most 15", ConfigError);
}

TEST_CASE("batching: a mixture draws tasks by their rates, and the examples of each in turn") {
  const auto lengths = tasks_of({30, 970});
  Batcher batcher(lengths, {.sequences = 10, .seed = 3, .task_rates = {3, 1}});
  std::vector<std::int64_t> seen(lengths.size());
  std::int64_t first = 0;
  const auto epoch = take_epoch(batcher);
  for (const auto& batch : epoch) {
    for (const auto i : batch) {
      ++seen[i];
      first += lengths[i].task == 0 ? 1 : 0;
    }
  }
  CHECK(sorted_members(epoch).size() == 1000);
  CHECK(std::abs(first - 750) < 45);  // three standard deviations
  // the small task begins anew when it ends: no example comes twice more often than another
  const auto [least, most] = std::minmax_element(seen.begin(), seen.begin() + 30);
  CHECK(*most - *least <= 1);
  CHECK(*std::max_element(seen.begin() + 30, seen.end()) == 1);
}

TEST_CASE("batching: a mixture goes on where it stood, and a task of rate 0 is not drawn") {
  const BatchRules rules{.sequences = 4, .seed = 5, .task_rates = {1, 0, 2}};
  const auto lengths = tasks_of({5, 6, 7});
  Batcher straight(lengths, rules);
  (void)take(straight, 7);
  const BatchPosition position = straight.position();
  const auto rest = take(straight, 9);
  Batcher resumed(lengths, rules);
  resumed.seek(position);
  CHECK(take(resumed, 9) == rest);
  for (const auto& batch : rest) {
    for (const auto i : batch) CHECK(lengths[i].task != 1);
  }
  CHECK_THROWS_AS(Batcher(lengths, {.sequences = 4, .task_rates = {1, 1}}), ConfigError);
  CHECK_THROWS_AS(Batcher(lengths, {.sequences = 4, .task_rates = {0, 0, 0}}), ConfigError);
  CHECK_THROWS_AS(Batcher(lengths, {.sequences = 4, .task_rates = {1, 1, 1, 1}}), ConfigError);
}

}  // namespace batching_test
