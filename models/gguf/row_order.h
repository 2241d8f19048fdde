// Rows of matrices that llama.cpp's converter has moved.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/gguf.h"

namespace preamble {

/// For each row of the checkpoint's tensor the row of the file's that holds it; absent where both have one order.
///
/// llama: llama.cpp turns neighbouring elements of a head, checkpoints its two halves, so that row (h, half, i) of the maps of queries and
/// keys lies at (h, i, half). gptneox: rows (h, part, i) of the map that makes queries, keys and values lie at (part, h, i). `name` is the
/// file's. Throws FileError for rows that heads do not divide.
[[nodiscard]] std::optional<std::vector<std::int64_t>> checkpoint_rows(const GgufFile& file, std::string_view architecture, std::string_view name);

/// A tensor with its rows in that order, of the same type: blocks are copied as they are. Elements of a vector are its rows.
[[nodiscard]] Tensor rows_in_order(const Tensor& tensor, const std::vector<std::int64_t>& order);

}  // namespace preamble
