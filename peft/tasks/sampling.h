// Low-data settings: a few items of a data set.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "data/sampling.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

/// The items that the options ask for.
template <class T>
[[nodiscard]] std::vector<T> sampled(std::vector<T> items, const LoadOptions& options) {
  if (options.samples == 0) return items;
  std::vector<T> chosen;
  for (const auto i : sample_of(static_cast<std::int64_t>(items.size()), options.samples, options.seed))
    chosen.push_back(std::move(items[i]));
  return chosen;
}

}  // namespace preamble
