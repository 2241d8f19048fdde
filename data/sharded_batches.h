// Batches of a data set that lies in several files, its shards, of which each process reads its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/batch_source.h"
#include "engine/distributed/communicator.h"

namespace preamble {

/// The examples of one file.
struct Shard {
  std::vector<Example> examples;
  std::vector<ExampleLength> lengths;  ///< of the examples, as a model batches them
};

/// Which of `count` shards a rank reads: the r-th run of equal length. Throws ConfigError if there is no equal length.
[[nodiscard]] RankShare own_shards(std::size_t count, const Communicator& ranks);

/// The rules of the batches of one of `count` shards: its part of each limit. Throws ConfigError if the sequences of a batch cannot be divided so.
[[nodiscard]] BatchRules rules_of_shard(const BatchRules& rules, std::size_t count);

/// A batch is made of a slice of each shard, in the order of the shards, with a count-th of the batch's sequences (or rows). Within a shard examples
/// are shuffled, batched and counted in epochs as a `Batcher` does it, with a seed of the shard's own; the first shard's is the rules' seed, so that one
/// shard gives the batches of a plain file. An epoch ends when the last shard has ended: each example comes exactly once, and shards that are
/// shorter leave later batches smaller.
///
/// Every process sees the slices of its own shards alone. The batches are the same ones for any number of processes, and their parts too:
/// of `parts` parts each has the slices of count/parts shards, or is one of parts/count runs of a slice.
class ShardedBatches final : public BatchSource {
 public:
  /// `own`: shards [share.begin, share.end) of `count`, share = own_shards(count, ranks). A collective, as are `next` where an epoch begins and `seek`.
  /// Throws ConfigError as a Batcher does, and DistributedError if ranks were given different numbers of shards.
  ShardedBatches(std::vector<Shard> own, std::size_t count, const BatchRules& rules, Communicator& ranks);

  [[nodiscard]] std::span<const Example* const> next() override;
  [[nodiscard]] BatchPosition position() const override;
  void seek(const BatchPosition& position) override;
  /// Numbers of shards and examples, over all processes.
  [[nodiscard]] std::string describe() const override;
  /// The content of each shard, of all processes.
  [[nodiscard]] std::map<std::string, std::string> properties() const override;
  /// Throws ConfigError for a number of parts that neither divides the number of shards nor is a multiple of it.
  [[nodiscard]] std::vector<std::span<const Example* const>> cut(std::span<const Example* const> batch, std::size_t count, std::size_t first,
                                                                 std::size_t wanted) const override;

  /// Of this process's shards, one behind the other.
  [[nodiscard]] std::span<const Example> examples() const noexcept { return examples_; }
  /// Batches of the epoch that stands open, over all processes.
  [[nodiscard]] std::int64_t steps_per_epoch() const noexcept { return static_cast<std::int64_t>(batches_); }
  /// The rules and the number of parts by which one of `parts` parts of a batch is as large as it can be: what a program is compiled for. Throws
  /// as `cut`.
  struct PartRules {
    BatchRules rules;
    std::int64_t parts = 1;
  };
  [[nodiscard]] PartRules rules_of_parts(std::int64_t parts) const;

 private:
  /// Goes to batch `batch` of an epoch.
  void begin_epoch(std::uint64_t epoch, std::uint64_t batch);
  void require_parts(std::size_t parts) const;

  struct Reader {
    std::size_t first = 0;  ///< place of its examples
    Batcher batcher;
    std::uint64_t batches = 0;  ///< of the open epoch
  };

  Communicator& ranks_;
  BatchRules rules_;
  std::size_t count_;
  RankShare share_;
  std::vector<Example> examples_;
  std::vector<Reader> readers_;
  std::vector<std::string> contents_;  ///< of all shards
  std::int64_t all_examples_ = 0;
  std::uint64_t batches_ = 0;
  BatchPosition position_;
  std::vector<const Example*> batch_;
  std::vector<std::size_t> ends_;  ///< of the slices of the last batch
};

/// Files of a data set in shards, in order: names as they are given, and the files that a pattern with `*`, `?` or `[` matches, sorted by name. Throws
/// FileError for a pattern without a match, ConfigError for a file that comes twice.
[[nodiscard]] std::vector<std::filesystem::path> shard_files(const std::vector<std::string>& given);

}  // namespace preamble
