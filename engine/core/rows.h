// Row spaces: the leading dimension of an activation. Sequences lie one behind the other, never padded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace preamble {

/// What a kernel sees of a row space at run time.
struct RowLayout {
  std::int32_t rows = 0;
  std::int32_t segments = 0;
  /// [segments + 1]; segment s holds rows [offsets[s], offsets[s + 1]).
  const std::int32_t* offsets = nullptr;
  /// [rows] place of each row in its sequence, or null: the row's index inside its segment.
  const std::int32_t* positions = nullptr;

  [[nodiscard]] std::int32_t length(std::int32_t segment) const noexcept { return offsets[segment + 1] - offsets[segment]; }
  [[nodiscard]] std::int32_t position(std::int32_t segment, std::int32_t row) const noexcept {
    return positions != nullptr ? positions[row] : row - offsets[segment];
  }
};

/// The layout of one batch in one row space, as a caller builds it.
class Segments {
 public:
  Segments() : offsets_{0} {}
  /// Sequences of these lengths. Throws ShapeError for a negative one.
  explicit Segments(std::span<const std::int32_t> lengths);
  /// Appends a sequence whose rows stand at 0, 1, ...
  void append(std::int32_t length);
  /// Appends a sequence whose rows stand at the given positions (ascending).
  void append(std::span<const std::int32_t> positions);

  [[nodiscard]] std::int32_t rows() const noexcept { return offsets_.back(); }
  [[nodiscard]] std::int32_t count() const noexcept { return static_cast<std::int32_t>(offsets_.size()) - 1; }
  [[nodiscard]] std::int32_t offset(std::int32_t segment) const { return offsets_.at(static_cast<std::size_t>(segment)); }
  [[nodiscard]] std::int32_t length(std::int32_t segment) const { return offset(segment + 1) - offset(segment); }
  [[nodiscard]] std::span<const std::int32_t> offsets() const noexcept { return offsets_; }
  /// Empty if every sequence stands at 0, 1, ...
  [[nodiscard]] std::span<const std::int32_t> positions() const noexcept { return positions_; }
  [[nodiscard]] RowLayout layout() const noexcept;

 private:
  std::vector<std::int32_t> offsets_;
  std::vector<std::int32_t> positions_;
};

}  // namespace preamble
