#include "data/sharded_batches.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/rank_threads.h"
#include "tests/support/temporary_folder.h"

namespace sharded_batches_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Shards of these numbers of examples; each example is known by its first token.
std::vector<Shard> shards_of(const std::vector<std::int32_t>& sizes, RankShare share) {
  std::vector<Shard> shards;
  for (std::size_t i = share.begin; i < share.end; ++i) {
    Shard shard;
    for (std::int32_t k = 0; k < sizes[i]; ++k) {
      std::vector<std::int32_t> source(static_cast<std::size_t>(1 + k % 3), static_cast<std::int32_t>(100 * i) + k);
      shard.examples.push_back({.source = std::move(source), .target = {1}});
    }
    shard.lengths = lengths_of(shard.examples);
    shards.push_back(std::move(shard));
  }
  return shards;
}

using Ids = std::vector<std::int32_t>;

Ids ids_of(std::span<const Example* const> examples) {
  Ids ids;
  for (const auto* example : examples) ids.push_back(example->source.front());
  return ids;
}

/// The parts of `steps` batches on `size` ranks, each of which makes parts/size of them.
std::vector<std::vector<Ids>> parts_on(int size, const std::vector<std::int32_t>& sizes, const BatchRules& rules, std::size_t parts, int steps) {
  std::vector<std::vector<Ids>> of_steps(static_cast<std::size_t>(steps), std::vector<Ids>(parts));
  on_ranks(size, [&](Communicator& ranks) {
    const RankShare share = own_shards(sizes.size(), ranks);
    ShardedBatches batches(shards_of(sizes, share), sizes.size(), rules, ranks);
    const std::size_t wanted = parts / static_cast<std::size_t>(size);
    const std::size_t first = wanted * static_cast<std::size_t>(ranks.rank());
    for (auto& of_step : of_steps) {
      const auto cut = batches.cut(batches.next(), parts, first, wanted);
      for (std::size_t i = 0; i < wanted; ++i) of_step[first + i] = ids_of(cut[i]);
    }
  });
  return of_steps;
}

}  // namespace

TEST_CASE("sharded batches: one shard gives the batches of a plain file") {
  const BatchRules rules = {.sequences = 4, .seed = 7};
  SingleProcess alone;
  auto shards = shards_of({11}, {0, 1});
  ExampleBatches plain(shards.front().examples, shards.front().lengths, rules);
  ShardedBatches sharded(std::move(shards), 1, rules, alone);
  for (int step = 0; step < 8; ++step) {
    const Ids expected = ids_of(plain.next());
    CHECK(ids_of(sharded.next()) == expected);
    CHECK(sharded.position() == plain.position());
  }
}

TEST_CASE("sharded batches: each batch has as many examples of each shard, and each example comes once an epoch") {
  const BatchRules rules = {.sequences = 6, .seed = 3};
  SingleProcess alone;
  ShardedBatches batches(shards_of({8, 8, 7}, {0, 3}), 3, rules, alone);
  CHECK(batches.steps_per_epoch() == 4);
  CHECK(batches.describe() == "3 shards, 23 examples");
  CHECK(batches.properties().size() == 4);
  CHECK(batches.properties().at("shard 2").starts_with("7 examples, "));
  for (int epoch = 0; epoch < 2; ++epoch) {
    Ids seen;
    for (int step = 0; step < 4; ++step) {
      const Ids batch = ids_of(batches.next());
      REQUIRE(batch.size() == (step < 3 ? 6 : 5));
      for (std::size_t i = 0; i < 6 && step < 3; ++i) CHECK(batch[i] / 100 == static_cast<std::int32_t>(i / 2));
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    CHECK_FALSE(std::ranges::is_sorted(seen));
    std::ranges::sort(seen);
    CHECK(seen == Ids{0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102, 103, 104, 105, 106, 107, 200, 201, 202, 203, 204, 205, 206});
  }
}

TEST_CASE("sharded batches: batches and parts are the same ones for any number of processes") {
  const WarningCapture quiet;
  const std::vector<std::int32_t> sizes = {9, 5, 7, 1};
  for (const BatchRules& rules : {BatchRules{.sequences = 8, .seed = 5}, BatchRules{.source_rows = 24, .target_rows = 40, .seed = 5},
                                  BatchRules{.sequences = 8, .seed = 5, .length_window = 4}}) {
    for (const std::size_t parts : {4, 8}) {
      const auto expected = parts_on(1, sizes, rules, parts, 12);
      for (const int size : {2, 4}) CHECK(parts_on(size, sizes, rules, parts, 12) == expected);
    }
    CHECK(parts_on(2, sizes, rules, 2, 12) == parts_on(1, sizes, rules, 2, 12));
    // two parts are the slices of two shards each
    const auto four = parts_on(1, sizes, rules, 4, 1).front(), two = parts_on(1, sizes, rules, 2, 1).front();
    Ids joined = four[0];
    joined.insert(joined.end(), four[1].begin(), four[1].end());
    CHECK(two[0] == joined);
  }
}

TEST_CASE("sharded batches: they go on where they stood, on another number of processes") {
  const WarningCapture quiet;
  const std::vector<std::int32_t> sizes = {9, 5};
  const BatchRules rules = {.sequences = 4, .seed = 1};
  const auto straight = parts_on(1, sizes, rules, 2, 12);
  SingleProcess alone;
  ShardedBatches first(shards_of(sizes, {0, 2}), 2, rules, alone);
  for (int step = 0; step < 12; ++step) {
    const BatchPosition position = first.position();
    std::vector<Ids> parts(2);
    on_ranks(2, [&](Communicator& ranks) {
      ShardedBatches batches(shards_of(sizes, own_shards(2, ranks)), 2, rules, ranks);
      batches.seek(position);
      CHECK(batches.position() == position);
      const auto rank = static_cast<std::size_t>(ranks.rank());
      parts[rank] = ids_of(batches.cut(batches.next(), 2, rank, 1).front());
    });
    CHECK(parts == straight[static_cast<std::size_t>(step)]);
    (void)first.next();
  }
  CHECK_THROWS_WITH_AS(first.seek({0, 99}), "batches: position 99 of epoch 0; wanted below 5", ConfigError);
}

TEST_CASE("sharded batches: a part is never larger than the rules of parts say") {
  const WarningCapture quiet;
  const std::vector<std::int32_t> sizes = {9, 5, 7, 1};
  SingleProcess alone;
  for (const BatchRules& rules : {BatchRules{.sequences = 8}, BatchRules{.source_rows = 24, .target_rows = 40}}) {
    ShardedBatches batches(shards_of(sizes, {0, 4}), 4, rules, alone);
    for (const std::int64_t parts : {1, 2, 4, 8}) {
      const auto [limits, divisor] = batches.rules_of_parts(parts);
      for (int step = 0; step < 6; ++step) {
        for (const auto& part : batches.cut(batches.next(), static_cast<std::size_t>(parts), 0, static_cast<std::size_t>(parts))) {
          std::int64_t rows = 0;
          for (const auto* example : part) rows += std::ssize(example->source);
          if (limits.sequences > 0) CHECK(std::ssize(part) <= (limits.sequences + divisor - 1) / divisor);
          if (limits.source_rows > 0) CHECK(rows <= limits.source_rows);
        }
      }
    }
  }
}

TEST_CASE("sharded batches: what cannot be divided is refused, shards of unequal lengths are remarked on") {
  SingleProcess alone;
  const auto make = [&](const std::vector<std::int32_t>& sizes, const BatchRules& rules) {
    return ShardedBatches(shards_of(sizes, {0, sizes.size()}), sizes.size(), rules, alone);
  };
  CHECK_THROWS_WITH_AS((void)make({4, 4}, {.sequences = 3}), "shards: batches of 3 sequences were given for 2 shards; wanted as many sequences of each",
                       ConfigError);
  CHECK_THROWS_WITH_AS((void)make({4, 4}, {.source_rows = 1}), "shards: batches of 1 rows were given for 2 shards; wanted one row of each at least",
                       ConfigError);
  CHECK_THROWS_WITH_AS(on_ranks(2, [](Communicator& ranks) { (void)own_shards(3, ranks); }),
                       "shards: 3 were given for 2 processes; wanted as many for each", ConfigError);
  CHECK_THROWS_WITH_AS(on_ranks(2,
                                [](Communicator& ranks) {
                                  const std::size_t count = ranks.rank() == 0 ? 2 : 4;
                                  const ShardedBatches batches(shards_of({4, 4, 4, 4}, own_shards(count, ranks)), count, {.sequences = 4}, ranks);
                                }),
                       "training: rank 1 was given 4 shards, rank 0 2; wanted as many", DistributedError);
  ShardedBatches three(shards_of({4, 4, 4}, {0, 3}), 3, {.sequences = 3}, alone);
  CHECK_THROWS_WITH_AS((void)three.cut(three.next(), 2, 0, 2), doctest::Contains("shards: 3 were given for batches of 2 parts"), ConfigError);
  const WarningCapture warnings;
  (void)make({4, 3}, {.sequences = 2});
  CHECK(warnings.messages().empty());
  (void)make({4, 1}, {.sequences = 2});
  REQUIRE(warnings.messages().size() == 1);
  CHECK(warnings.messages()[0] ==
        "shards: the shortest has examples for 1 batches, the longest for 4; the later batches of an epoch are smaller");
}

TEST_CASE("shard files: patterns are sorted by name, names stay in their order") {
  const TemporaryFolder folder;
  for (const char* name : {"b-1.jsonl", "b-0.jsonl", "b-10.jsonl", "a.jsonl"}) folder.write(name, "{}\n");
  const auto in = [&](const char* name) { return (folder.path() / name).string(); };
  const auto files = shard_files({in("b-*.jsonl"), in("a.jsonl"), in("elsewhere.jsonl")});
  REQUIRE(files.size() == 5);
  CHECK(files[0] == in("b-0.jsonl"));
  CHECK(files[1] == in("b-1.jsonl"));
  CHECK(files[2] == in("b-10.jsonl"));
  CHECK(files[3] == in("a.jsonl"));
  CHECK_THROWS_WITH_AS((void)shard_files({in("c-*")}), doctest::Contains("no file has a name of this pattern"), FileError);
  CHECK_THROWS_WITH_AS((void)shard_files({in("b-0.jsonl"), in("b-*.jsonl")}), doctest::Contains("b-0.jsonl comes twice"), ConfigError);
}

}  // namespace sharded_batches_test
