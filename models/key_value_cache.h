// Keys and values of one layer, in a graph and in the memory of a generation.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "models/language_model.h"

namespace preamble {

/// Keys and values of a layer, [rows, kv_heads·head_dim].
struct KeyValue {
  Value key, value;
};

/// State of a generation: keys and values of one layer, [cache rows, kv_heads·head_dim].
struct KeyValueCache {
  Tensor key, value;

  [[nodiscard]] std::int64_t bytes() const noexcept { return static_cast<std::int64_t>(key.bytes() + value.bytes()); }
};

/// A cache of so many rows for each layer, in the type of the model's activations.
[[nodiscard]] std::vector<KeyValueCache> make_caches(const LanguageModel& model, Site site, std::int64_t rows);
/// Bytes of one row of all these caches together.
[[nodiscard]] std::int64_t bytes_of_cache_row(const LanguageModel& model, Site site);

/// The cache of a layer as states `KIND_key.LAYER` and `KIND_value.LAYER` (without a kind: `key.LAYER`), with keys and values written to
/// the rows `cache_row` (i32 [rows]).
[[nodiscard]] KeyValue in_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, KeyValue made, Value cache_row,
                                std::string_view kind = "");
/// The same as two results of the graph.
void keep_in_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, KeyValue made, Value cache_row,
                   std::string_view kind = "");
/// The cache of a layer as it is, whose first rows are a row space.
[[nodiscard]] KeyValue from_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, RowSpaceId rows,
                                  std::string_view kind = "");

}  // namespace preamble
