#include "models/cache_rows.h"

#include <algorithm>

#include "engine/core/error.h"
#include "models/feeding.h"
#include "models/step_inputs.h"

namespace preamble {

std::vector<std::int32_t> CacheRows::begin(const Segments& sequences) {
  next_ = 0;
  histories_.assign(static_cast<std::size_t>(sequences.count()), {});
  std::vector<std::int32_t> all;
  for (std::int32_t s = 0; s < sequences.count(); ++s) {
    for (std::int32_t row = 0; row < sequences.length(s); ++row) {
      all.push_back(next_);
      histories_[static_cast<std::size_t>(s)].push_back(next_++);
    }
  }
  return all;
}

void CacheRows::extend(std::span<const StepRow> rows, std::int64_t longest, std::int64_t pool) {
  std::vector<History> grown;
  for (const auto& row : rows) {
    auto& history = grown.emplace_back(histories_.at(static_cast<std::size_t>(row.parent)));
    history.push_back(next_++);
    require<ShapeError>(std::ssize(history) <= longest && history.back() < pool, "generation: a sequence of {} rows; the cache holds {}",
                        history.size(), longest);
  }
  histories_ = std::move(grown);
}

std::vector<std::int32_t> CacheRows::lengths() const {
  std::vector<std::int32_t> lengths;
  for (const auto& history : histories_) lengths.push_back(static_cast<std::int32_t>(history.size()));
  return lengths;
}

void CacheRows::feed(Session& session, std::int64_t longest) const {
  std::vector<std::int32_t> newest;
  for (const auto& history : histories_) newest.push_back(history.back());
  feed_input(session, step_inputs::kCacheRow, newest);
  feed_input(session, step_inputs::kLengths, lengths());
  const auto memory = session.input<std::int32_t>(step_inputs::kHistory);
  for (std::size_t r = 0; r < histories_.size(); ++r) {
    std::ranges::copy(histories_[r], memory.begin() + static_cast<std::ptrdiff_t>(r) * longest);
  }
}

}  // namespace preamble
