// The parts of a batch whose rows are to be computed as if each part were alone.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/gemm.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// Calls body(begin, end) for the rows of each part, one part after the other. A row space has the segments of the batch, or one for each
/// part (the rows of prompts); others are one part.
template <class Body>
void for_parts(const KernelArguments& args, const View& rows, const Body& body) {
  const auto parts = args.parts;
  const std::size_t count = parts.empty() || rows.layout == nullptr ? 0 : parts.size() - 1;
  const bool of_batch = count > 0 && rows.layout->segments == parts.back();
  if (!of_batch && (count == 0 || rows.layout->segments != static_cast<std::int32_t>(count))) {
    body(std::int64_t{0}, rows.rows);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t begin = rows.layout->offsets[of_batch ? parts[i] : static_cast<std::int32_t>(i)];
    const std::int64_t end = rows.layout->offsets[of_batch ? parts[i + 1] : static_cast<std::int32_t>(i + 1)];
    if (end > begin) body(begin, end);
  }
}

/// Calls body(begin, end) for panels of rows [first, last) in parallel, as `parallel_gemm` would cut them alone.
template <class Body>
void for_panels(std::int64_t first, std::int64_t last, const Body& body) {
  parallel_for(last - first, cpu::panel_rows(last - first), [&](std::int64_t begin, std::int64_t end) { body(first + begin, first + end); });
}

/// The same for the panels of all parts, as one loop: parts of unequal panels keep no thread waiting.
template <class Body>
void for_panels(const KernelArguments& args, const View& rows, const Body& body) {
  const auto panels_of = [](std::int64_t count) { return (count + cpu::panel_rows(count) - 1) / cpu::panel_rows(count); };
  std::int64_t all = 0;
  for_parts(args, rows, [&](std::int64_t first, std::int64_t last) { all += panels_of(last - first); });
  parallel_for(all, 1, [&](std::int64_t from, std::int64_t to) {
    std::int64_t number = 0;  // of the part's first panel
    for_parts(args, rows, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t height = cpu::panel_rows(last - first), count = panels_of(last - first);
      for (std::int64_t i = std::max<std::int64_t>(from - number, 0); i < std::min(to - number, count); ++i) {
        body(first + i * height, std::min(first + (i + 1) * height, last));
      }
      number += count;
    });
  });
}

}  // namespace preamble::PREAMBLE_ISA
