// Where a trainer's batches come from: a set of examples in memory, or a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "data/batching.h"
#include "data/examples.h"

namespace preamble {

/// An endless sequence of batches that can go on exactly where it stood.
class BatchSource {
 public:
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  virtual ~BatchSource() = default;

  /// Examples of the next batch, valid until the next call.
  [[nodiscard]] virtual std::span<const Example* const> next() = 0;
  /// Where the next batch stands.
  [[nodiscard]] virtual BatchPosition position() const = 0;
  /// Goes to a position got from an equal source. Throws ConfigError for one that cannot be.
  virtual void seek(const BatchPosition& position) = 0;
  /// The data by its content: what a resumed run must have in common with the first one.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// The same by name, where the data have several parts that may differ.
  [[nodiscard]] virtual std::map<std::string, std::string> properties() const { return {{"training data", describe()}}; }

  /// Parts [first, first + wanted) of `count` that the batch of the last `next` is cut into: runs of equal length, the last ones shorter or empty.
  [[nodiscard]] virtual std::vector<std::span<const Example* const>> cut(std::span<const Example* const> batch, std::size_t count, std::size_t first,
                                                                         std::size_t wanted) const;
};

/// The batches of a `Batcher`, as examples.
class ExampleBatches final : public BatchSource {
 public:
  /// `lengths`: of the examples, as a model batches them.
  ExampleBatches(std::vector<Example> examples, std::vector<ExampleLength> lengths, const BatchRules& rules);

  [[nodiscard]] std::span<const Example* const> next() override;
  [[nodiscard]] BatchPosition position() const override { return batcher_.position(); }
  void seek(const BatchPosition& position) override { batcher_.seek(position); }
  [[nodiscard]] std::string describe() const override;

  [[nodiscard]] std::span<const Example> examples() const noexcept { return examples_; }

 private:
  std::vector<Example> examples_;
  Batcher batcher_;
  std::vector<const Example*> batch_;
};

/// `400 examples, 90b1c2d3e4f50617`: number and content.
[[nodiscard]] std::string describe_content(std::span<const Example> examples);

}  // namespace preamble
