#include "data/sharded_batches.h"

#include <algorithm>
#include <set>
#include <utility>

#include <glob.h>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

std::uint64_t seed_of_shard(std::uint64_t seed, std::size_t shard) noexcept { return seed + shard * 0x9E3779B97F4A7C15ULL; }

BatchRules divided(BatchRules rules, std::size_t by) {
  const auto count = static_cast<std::int64_t>(by);
  rules.sequences /= count;
  rules.source_rows /= count;
  rules.target_rows /= count;
  return rules;
}

std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> names(found.gl_pathv, found.gl_pathv + (status == 0 ? found.gl_pathc : 0));
  ::globfree(&found);
  // by bytes, whatever the locale
  std::ranges::sort(names);
  return names;
}

}  // namespace

RankShare own_shards(std::size_t count, const Communicator& ranks) {
  const auto size = static_cast<std::size_t>(ranks.size());
  require<ConfigError>(count > 0 && count % size == 0, "shards: {} were given for {} processes; wanted as many for each", count, size);
  return RankShare::of(count, ranks.rank(), ranks.size());
}

BatchRules rules_of_shard(const BatchRules& rules, std::size_t count) {
  const auto shards = static_cast<std::int64_t>(count);
  require<ConfigError>(rules.sequences % shards == 0, "shards: batches of {} sequences were given for {} shards; wanted as many sequences of each",
                       rules.sequences, count);
  for (const std::int64_t rows : {rules.source_rows, rules.target_rows})
    require<ConfigError>(rows == 0 || rows >= shards, "shards: batches of {} rows were given for {} shards; wanted one row of each at least", rows, count);
  require<ConfigError>(rules.task_rates.empty(), "shards: a mixture of {} tasks was given; wanted one task", rules.task_rates.size());
  return divided(rules, count);
}

ShardedBatches::ShardedBatches(std::vector<Shard> own, std::size_t count, const BatchRules& rules, Communicator& ranks)
    : ranks_(ranks), rules_(rules), count_(count), share_(own_shards(count, ranks)) {
  const auto counts = ranks_.gather_numbers(static_cast<std::int64_t>(count), "numbers of shards");
  for (std::size_t r = 1; r < counts.size(); ++r)
    require<DistributedError>(counts[r] == counts[0], "training: rank {} was given {} shards, rank 0 {}; wanted as many", r, counts[r], counts[0]);
  require<ConfigError>(own.size() == share_.end - share_.begin, "shards: {} were read by this process; wanted {}", own.size(),
                       share_.end - share_.begin);
  BatchRules of_shard = rules_of_shard(rules, count);
  std::string mine;
  for (std::size_t i = 0; i < own.size(); ++i) {
    mine += describe_content(own[i].examples) + '\n';
    of_shard.seed = seed_of_shard(rules.seed, share_.begin + i);
    readers_.push_back({examples_.size(), Batcher(std::move(own[i].lengths), of_shard)});
    for (auto& example : own[i].examples) examples_.push_back(std::move(example));
  }
  for (const std::int64_t number : ranks_.gather_numbers(std::ssize(examples_), "examples of all shards")) all_examples_ += number;
  for (const auto& bytes : ranks_.gather_all(std::as_bytes(std::span(mine)), "contents of all shards")) {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      contents_.emplace_back(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
  }
  begin_epoch(0, 0);
  std::uint64_t fewest = batches_;
  for (const auto& reader : readers_) fewest = std::min(fewest, reader.batches);
  for (const std::int64_t number : ranks_.gather_numbers(static_cast<std::int64_t>(fewest), "batches of the shortest shard"))
    fewest = std::min(fewest, static_cast<std::uint64_t>(number));
  if (fewest + 1 < batches_)
    warn(fmt::format("shards: the shortest has examples for {} batches, the longest for {}; the later batches of an epoch are smaller", fewest, batches_));
}

void ShardedBatches::begin_epoch(std::uint64_t epoch, std::uint64_t batch) {
  position_ = {epoch, batch};
  std::uint64_t longest = 0;
  for (auto& reader : readers_) {
    reader.batcher.seek({epoch, 0});
    reader.batches = static_cast<std::uint64_t>(reader.batcher.steps_per_epoch());
    if (batch > 0 && batch < reader.batches) reader.batcher.seek({epoch, batch});
    longest = std::max(longest, reader.batches);
  }
  // row limits may close another number of batches in each epoch
  batches_ = 0;
  for (const std::int64_t number : ranks_.gather_numbers(static_cast<std::int64_t>(longest), "batches of an epoch"))
    batches_ = std::max(batches_, static_cast<std::uint64_t>(number));
}

std::span<const Example* const> ShardedBatches::next() {
  if (position_.batch == batches_) begin_epoch(position_.epoch + 1, 0);
  batch_.clear();
  ends_.clear();
  for (auto& reader : readers_) {
    if (position_.batch < reader.batches) {
      for (const auto index : reader.batcher.next()) batch_.push_back(&examples_[reader.first + index]);
    }
    ends_.push_back(batch_.size());
  }
  ++position_.batch;
  return batch_;
}

BatchPosition ShardedBatches::position() const {
  return position_.batch < batches_ ? position_ : BatchPosition{position_.epoch + 1, 0};
}

void ShardedBatches::seek(const BatchPosition& position) {
  begin_epoch(position.epoch, position.batch);
  require<ConfigError>(position.batch < batches_, "batches: position {} of epoch {}; wanted below {}", position.batch, position.epoch, batches_);
}

std::string ShardedBatches::describe() const { return fmt::format("{} shards, {} examples", count_, all_examples_); }

std::map<std::string, std::string> ShardedBatches::properties() const {
  std::map<std::string, std::string> properties = {{"training data", describe()}};
  for (std::size_t i = 0; i < contents_.size(); ++i) properties[fmt::format("shard {}", i)] = contents_[i];
  return properties;
}

void ShardedBatches::require_parts(std::size_t parts) const {
  require<ConfigError>(parts > 0 && (count_ % parts == 0 || parts % count_ == 0),
                       "shards: {} were given for batches of {} parts (processes times --gradient-accumulation-steps); wanted a multiple or a divisor", count_,
                       parts);
}

std::vector<std::span<const Example* const>> ShardedBatches::cut(std::span<const Example* const> batch, std::size_t count, std::size_t first,
                                                                 std::size_t wanted) const {
  require_parts(count);
  // in slices of all shards, from the first one of this process on
  const auto begin_of = [&](std::size_t shard) { return shard == share_.begin ? 0 : ends_.at(shard - share_.begin - 1); };
  std::vector<std::span<const Example* const>> parts;
  for (std::size_t part = first; part < first + wanted; ++part) {
    if (count <= count_) {
      const std::size_t shards = count_ / count;
      const std::size_t begin = begin_of(part * shards);
      parts.push_back(batch.subspan(begin, begin_of((part + 1) * shards) - begin));
    } else {
      const std::size_t runs = count / count_;
      const std::size_t begin = begin_of(part / runs);
      const auto slice = batch.subspan(begin, begin_of(part / runs + 1) - begin);
      parts.push_back(BatchSource::cut(slice, runs, part % runs, 1).front());
    }
  }
  return parts;
}

ShardedBatches::PartRules ShardedBatches::rules_of_parts(std::int64_t parts) const {
  const auto count = static_cast<std::size_t>(parts);
  require_parts(count);
  if (count <= count_) {
    // the slices of several shards: their limits add up
    BatchRules rules = divided(rules_, count_);
    const auto shards = static_cast<std::int64_t>(count_ / count);
    rules.sequences *= shards;
    rules.source_rows *= shards;
    rules.target_rows *= shards;
    return {rules, 1};
  }
  return {divided(rules_, count_), static_cast<std::int64_t>(count / count_)};
}

std::vector<std::filesystem::path> shard_files(const std::vector<std::string>& given) {
  std::vector<std::filesystem::path> files;
  for (const auto& name : given) {
    if (name.find_first_of("*?[") == std::string::npos) {
      files.emplace_back(name);
      continue;
    }
    const auto matches = matches_of(name);
    require<FileError>(!matches.empty(), "{}: no file has a name of this pattern", name);
    files.insert(files.end(), matches.begin(), matches.end());
  }
  std::set<std::filesystem::path> seen;
  for (const auto& file : files)
    require<ConfigError>(seen.insert(file.lexically_normal()).second, "shards: {} comes twice; wanted different files", file.string());
  return files;
}

}  // namespace preamble
