// Batches of a language model objective out of files of text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/batch_source.h"
#include "data/corpus/objective.h"
#include "data/corpus/token_windows.h"

namespace preamble {

struct CorpusRules {
  std::int64_t sequences = 32;  ///< examples of a batch
  /// Windows come in random order within so many; 1: as they stand in the files. Going on after a stop reads so many again.
  std::int64_t shuffle_windows = 2048;
  std::uint64_t seed = 0;
};

/// An endless sequence of batches, pass after pass over the files. An example is a function of its window, the seed, the pass and the
/// window's number in it alone. Windows are held in numbers of `shuffle_windows`, whatever the size of the files. A batch may hold the last
/// windows of one pass and the first of the next one.
class CorpusBatches final : public BatchSource {
 public:
  /// The objective must outlive it. Throws ConfigError for numbers below 1.
  CorpusBatches(TokenWindows windows, const Objective& objective, const CorpusRules& rules);

  /// Throws ConfigError if a whole pass has no window.
  [[nodiscard]] std::span<const Example* const> next() override;
  [[nodiscard]] BatchPosition position() const override;
  void seek(const BatchPosition& position) override;
  [[nodiscard]] std::string describe() const override;

 private:
  /// Reads the next pool of windows, of the next pass where this one has ended, and draws its order.
  void refill();
  void load();
  [[nodiscard]] Example example();

  TokenWindows windows_;
  const Objective& objective_;
  CorpusRules rules_;
  std::uint64_t pass_ = 0;
  WindowStart start_;         ///< of the pool's first window
  std::uint64_t before_ = 0;  ///< windows of this pass in front of the pool
  std::uint64_t batches_ = 0;
  std::vector<std::vector<std::int32_t>> pool_;
  std::vector<std::uint32_t> order_;
  std::size_t used_ = 0;  ///< of the pool
  std::vector<Example> batch_;
  std::vector<const Example*> pointers_;
};

/// The examples of the first `count` windows (fewer if there are no more), made with this seed: what a model is evaluated on. Throws
/// ConfigError for files without one.
[[nodiscard]] std::vector<Example> first_examples(TokenWindows windows, const Objective& objective, std::int64_t count, std::uint64_t seed);

}  // namespace preamble
