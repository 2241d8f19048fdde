// Which rows of a generation's cache hold the past of each live row.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/core/rows.h"
#include "engine/runtime/session.h"
#include "models/generate/decoder.h"

namespace preamble {

/// The cache is a pool of rows, in which each live row is a list of row numbers.
class CacheRows {
 public:
  using History = std::vector<std::int32_t>;

  /// Forgets everything and gives each row of the sequences a row of the pool; returns these, in order.
  [[nodiscard]] std::vector<std::int32_t> begin(const Segments& sequences);
  /// Lets each row of a step grow from its parent by one row of the pool. Throws ShapeError where a row has more than `longest`, or the
  /// pool more than `pool`.
  void extend(std::span<const StepRow> rows, std::int64_t longest, std::int64_t pool);
  /// Makes these the live rows; no row of the pool is given back.
  void go_on_from(std::vector<History> histories) { histories_ = std::move(histories); }

  [[nodiscard]] const std::vector<History>& histories() const noexcept { return histories_; }
  /// Of the live rows: how many rows of the pool they have.
  [[nodiscard]] std::vector<std::int32_t> lengths() const;
  /// Fills the inputs of a step (`step_inputs`) but for its slots.
  void feed(Session& session, std::int64_t longest) const;

 private:
  std::int32_t next_ = 0;
  std::vector<History> histories_;
};

}  // namespace preamble
