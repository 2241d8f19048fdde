// Which examples form a batch, in which order, reproducibly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/examples.h"
#include "engine/core/random.h"

namespace preamble {

/// Rows that an example takes in each row space of a model. A decoder-only model has one: `target` stays 0.
struct ExampleLength {
  std::int64_t source = 0;
  std::int64_t target = 0;
  std::int64_t row = 0;  ///< of the data set, for error messages
  std::int64_t sequences = 1;  ///< that a prompt stands in front of: the choices of an example
  std::int32_t task = 0;       ///< of a mixture
};

/// Lengths of examples for an encoder-decoder (source and target apart).
[[nodiscard]] std::vector<ExampleLength> lengths_of(std::span<const Example> examples);
/// Lengths of examples for a model that reads source and target as one sequence.
[[nodiscard]] std::vector<ExampleLength> joint_lengths_of(std::span<const Example> examples);

/// What a batch may hold. A limit of 0 is none; at least one must be set. A batch is closed when the next example would pass
/// any of them: `sequences` alone gives batches of fixed size, row limits give batches that fill a compiled program.
struct BatchRules {
  std::int64_t sequences = 0;  ///< examples; one with choices is never divided
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  std::int64_t source_extra = 0;  ///< rows each sequence takes on top (its prompt)
  std::int64_t target_extra = 0;
  bool shuffle = true;
  std::uint64_t seed = 0;
  /// Examples are sorted by length within windows of so many, and the batches then shuffled; 0: not.
  std::int64_t length_window = 0;
  /// Leaves out the last batch of an epoch if the data ended before it was full.
  bool drop_last = false;
  /// A mixture: an epoch has as many examples as there are, each drawn from a task with this probability (any positive scale) and then from
  /// the task's own shuffled examples, which begin anew when they end and at each epoch. Empty: every example once.
  std::vector<double> task_rates = {};
};

/// Where a source of batches stands: all it takes to go on exactly there.
struct BatchPosition {
  std::uint64_t epoch = 0;
  std::uint64_t batch = 0;  ///< of this epoch
  /// What a stream needs beside these; empty for examples in memory.
  std::vector<std::uint64_t> stream = {};
  bool operator==(const BatchPosition&) const = default;
};

/// An endless sequence of batches, epoch after epoch. Each example is in exactly one batch of an epoch (but for `drop_last` and mixtures).
/// The order is a function of lengths, rules and epoch alone. It holds numbers only, about 40 bytes an example.
class Batcher {
 public:
  /// Throws ConfigError for no examples, no limit, negative numbers, an example that passes a limit on its own (naming its
  /// row), and for a `drop_last` that leaves nothing.
  Batcher(std::vector<ExampleLength> lengths, BatchRules rules);

  /// Indices of the examples of the next batch, valid until the next call. After the last batch of an epoch the next begins.
  [[nodiscard]] std::span<const std::uint32_t> next();

  /// Batches in the epoch of the last batch (the first epoch before any). If row limits close the batches, their number
  /// may differ between epochs.
  [[nodiscard]] std::int64_t steps_per_epoch() const noexcept { return static_cast<std::int64_t>(batches_.size()); }
  /// The epoch of the batch that `next` will return, and its number there.
  [[nodiscard]] BatchPosition position() const noexcept;
  /// Goes to a position got from a batcher of the same lengths and rules. Throws ConfigError for one that cannot be.
  void seek(const BatchPosition& position);

 private:
  struct Batch {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  void check() const;
  void begin_epoch(std::uint64_t epoch);
  void draw_mixture(Random& random);
  void form_batches();

  std::vector<ExampleLength> lengths_;
  BatchRules rules_;
  std::vector<std::uint32_t> order_;
  std::vector<Batch> batches_;
  BatchPosition position_;  // may stand behind the last batch of its epoch
};

}  // namespace preamble
