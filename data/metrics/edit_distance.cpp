#include "data/metrics/edit_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace preamble::metrics {
namespace {

constexpr std::int64_t kUnreached = std::numeric_limits<std::int64_t>::max() / 2;

}  // namespace

BeamEditDistance::BeamEditDistance(const Tokens& reference, std::size_t hypothesis_words, std::int64_t beam)
    : reference_(reference),
      rows_(hypothesis_words + 1),
      columns_(reference.size() + 1),
      beam_(beam),
      ratio_(hypothesis_words == 0 ? 1.0 : static_cast<double>(reference.size()) / static_cast<double>(hypothesis_words)),
      table_(rows_ * columns_, Cell{kUnreached, Edit::none}) {
  if (static_cast<double>(beam) < ratio_ / 2.0) beam_ = static_cast<std::int64_t>(std::ceil(ratio_ / 2.0 + static_cast<double>(beam)));
  for (std::size_t j = 0; j < columns_; ++j) table_[j] = {static_cast<std::int64_t>(j), Edit::insert};
}

void BeamEditDistance::fill_row(std::size_t i, const std::string& word) {
  const auto row = table_.begin() + static_cast<std::ptrdiff_t>(i * columns_);
  std::fill(row, row + static_cast<std::ptrdiff_t>(columns_), Cell{kUnreached, Edit::none});
  const auto diagonal = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * ratio_));
  const auto columns = static_cast<std::int64_t>(columns_);
  const std::int64_t first = std::max<std::int64_t>(0, diagonal - beam_);
  const std::int64_t end = i + 1 == rows_ ? columns : std::min(columns, diagonal + beam_);
  for (auto j = static_cast<std::size_t>(first); static_cast<std::int64_t>(j) < end; ++j) {
    Cell& cell = table_[i * columns_ + j];
    const auto offer = [&](std::int64_t cost, Edit edit) {
      if (cost < cell.cost) cell = {cost, edit};
    };
    if (j > 0) {
      const bool same = word == reference_[j - 1];
      offer(at(i - 1, j - 1).cost + (same ? 0 : 1), same ? Edit::keep : Edit::substitute);
    }
    offer(at(i - 1, j).cost + 1, Edit::erase);
    if (j > 0) offer(at(i, j - 1).cost + 1, Edit::insert);
  }
}

std::int64_t BeamEditDistance::operator()(const Tokens& hypothesis) {
  const auto differs = std::mismatch(words_.begin(), words_.end(), hypothesis.begin(), hypothesis.end()).first;
  for (auto i = static_cast<std::size_t>(differs - words_.begin()); i < hypothesis.size(); ++i) fill_row(i + 1, hypothesis[i]);
  words_ = hypothesis;
  return table_.back().cost;
}

std::vector<Edit> BeamEditDistance::edits() const {
  std::vector<Edit> edits;
  for (std::size_t i = rows_ - 1, j = columns_ - 1; i > 0 || j > 0;) {
    const Edit edit = at(i, j).edit;
    edits.push_back(edit);
    if (edit != Edit::insert) --i;
    if (edit != Edit::erase) --j;
  }
  std::reverse(edits.begin(), edits.end());
  return edits;
}

}  // namespace preamble::metrics
