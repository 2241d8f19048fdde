#include "engine/core/rows.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/core/error.h"

namespace preamble {

Segments::Segments(std::span<const std::int32_t> lengths) : Segments() {
  for (const auto length : lengths) append(length);
}

void Segments::append(std::int32_t length) {
  require<ShapeError>(length >= 0, "segments: a length of {} was given; wanted none below zero", length);
  const std::int32_t end = end_behind(length);
  if (!positions_.empty()) {
    positions_.resize(static_cast<std::size_t>(end));
    std::iota(positions_.end() - length, positions_.end(), 0);
  }
  offsets_.push_back(end);
}

void Segments::append(std::span<const std::int32_t> positions) {
  const std::int32_t end = end_behind(std::ssize(positions));
  // rows appended before stood at 0, 1, ...: write that down before the first exception to it
  if (positions_.empty()) {
    for (std::int32_t s = 0; s < count(); ++s) {
      for (std::int32_t i = 0; i < length(s); ++i) positions_.push_back(i);
    }
  }
  positions_.insert(positions_.end(), positions.begin(), positions.end());
  offsets_.push_back(end);
}

std::int32_t Segments::end_behind(std::int64_t length) const {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  require<ShapeError>(length <= kMost - rows(), "segments: {} rows and {} more were given; wanted at most {} in all", rows(), length, kMost);
  return static_cast<std::int32_t>(rows() + length);
}

RowLayout Segments::layout() const noexcept {
  return {rows(), count(), offsets_.data(), positions_.empty() ? nullptr : positions_.data()};
}

Segments selected(const RowLayout& from, std::span<const std::int32_t> index) {
  Segments result;
  std::vector<std::int32_t> positions;
  std::size_t next = 0;
  std::int32_t previous = 0;
  for (std::int32_t segment = 0; segment < from.segments; ++segment) {
    positions.clear();
    for (; next < index.size() && index[next] < from.offsets[segment + 1]; previous = index[next++]) {
      require<ShapeError>(index[next] >= previous, "rows: row {} was selected behind row {}; wanted ascending ones", index[next], previous);
      positions.push_back(from.position(segment, index[next]));
    }
    result.append(positions);
  }
  require<ShapeError>(next == index.size(), "rows: row {} was selected; there are {}", next < index.size() ? index[next] : 0, from.rows);
  return result;
}

}  // namespace preamble
