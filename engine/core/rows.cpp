#include "engine/core/rows.h"

#include <numeric>

#include "engine/core/error.h"

namespace preamble {

Segments::Segments(std::span<const std::int32_t> lengths) : Segments() {
  for (const auto length : lengths) append(length);
}

void Segments::append(std::int32_t length) {
  require<ShapeError>(length >= 0, "segments: a length of {} was given; wanted none below zero", length);
  if (!positions_.empty()) {
    positions_.resize(static_cast<std::size_t>(rows() + length));
    std::iota(positions_.end() - length, positions_.end(), 0);
  }
  offsets_.push_back(rows() + length);
}

void Segments::append(std::span<const std::int32_t> positions) {
  // rows appended before stood at 0, 1, ...: write that down before the first exception to it
  if (positions_.empty()) {
    for (std::int32_t s = 0; s < count(); ++s) {
      for (std::int32_t i = 0; i < length(s); ++i) positions_.push_back(i);
    }
  }
  positions_.insert(positions_.end(), positions.begin(), positions.end());
  offsets_.push_back(rows() + static_cast<std::int32_t>(positions.size()));
}

RowLayout Segments::layout() const noexcept {
  return {rows(), count(), offsets_.data(), positions_.empty() ? nullptr : positions_.data()};
}

}  // namespace preamble
