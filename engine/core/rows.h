// Row spaces: the leading dimension of an activation. Sequences lie one behind the other, never padded. A row's *place* is the segment
// that it belongs to and its position there.
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
  /// [rows] position of each row in its segment, or null: the row's index inside its segment.
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
  /// Sequences of these lengths. Throws ShapeError for a negative one, and if there are more than 2^31 - 1 rows.
  explicit Segments(std::span<const std::int32_t> lengths);
  /// Appends a sequence whose rows stand at 0, 1, ... Throws as the constructor.
  void append(std::int32_t length);
  /// Appends a sequence whose rows stand at the given positions (ascending). Throws as the constructor.
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
  /// `rows()` with `length` more.
  [[nodiscard]] std::int32_t end_behind(std::int64_t length) const;

  std::vector<std::int32_t> offsets_;
  std::vector<std::int32_t> positions_;
};

/// The rows of a layout that `index` lists, each at its place there: as many segments, of which some may be empty. Throws ShapeError for a
/// row that does not exist, and unless the index ascends (it may list a row twice).
[[nodiscard]] Segments selected(const RowLayout& from, std::span<const std::int32_t> index);

}  // namespace preamble
