#include "models/gguf/row_order.h"

#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/stored_matrix.h"
#include "models/gguf/facts.h"

namespace preamble {
namespace {

bool is_part(std::string_view name, std::string_view part) {
  return name.ends_with(fmt::format(".{}.weight", part)) || name.ends_with(fmt::format(".{}.bias", part));
}

/// Rows of each head. Throws unless all heads have as many, an even number where halves are told apart.
std::int64_t head_rows(const GgufFile& file, std::string_view name, std::int64_t rows, std::int64_t parts, std::int64_t multiple) {
  require<FileError>(parts > 0 && rows % (parts * multiple) == 0, "{}: '{}' has {} rows; wanted a multiple of {}", file.path().string(), name, rows,
                     parts * multiple);
  return rows / parts;
}

}  // namespace

std::optional<std::vector<std::int64_t>> checkpoint_rows(const GgufFile& file, std::string_view architecture, std::string_view name) {
  const GgufFacts facts(file, std::string(architecture));
  if (architecture == "llama" && (is_part(name, "attn_q") || is_part(name, "attn_k"))) {
    const std::int64_t heads = is_part(name, "attn_q") ? facts.whole("attention.head_count")
                                                       : facts.whole("attention.head_count_kv", facts.whole("attention.head_count"));
    const std::int64_t rows = file.dims(name).front();
    const std::int64_t half = head_rows(file, name, rows, heads, 2) / 2;
    std::vector<std::int64_t> order;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t head = row / (2 * half), side = row / half % 2, i = row % half;
      order.push_back((head * half + i) * 2 + side);
    }
    return order;
  }
  if (architecture == "gptneox" && is_part(name, "attn_qkv")) {
    constexpr std::int64_t kParts = 3;
    const std::int64_t heads = facts.whole("attention.head_count");
    const std::int64_t rows = file.dims(name).front();
    const std::int64_t width = head_rows(file, name, rows, kParts * heads, 1);
    std::vector<std::int64_t> order;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t head = row / (kParts * width), part = row / width % kParts, i = row % width;
      order.push_back((part * heads + head) * width + i);
    }
    return order;
  }
  return std::nullopt;
}

Tensor rows_in_order(const Tensor& tensor, const std::vector<std::int64_t>& order) {
  Tensor moved(tensor.dtype(), tensor.dims());
  const std::size_t row_bytes = tensor.bytes() / order.size();
  const auto* from = static_cast<const std::byte*>(tensor.data());
  auto* to = static_cast<std::byte*>(moved.data());
  for (std::size_t row = 0; row < order.size(); ++row) {
    std::memcpy(to + row * row_bytes, from + static_cast<std::size_t>(order[row]) * row_bytes, row_bytes);
  }
  return moved;
}

}  // namespace preamble
