#include "models/key_value_cache.h"

#include <string>

#include <fmt/format.h>

#include "engine/ops/append_rows.h"

namespace preamble {
namespace {

struct Names {
  std::string key, value;

  Names(std::string_view kind, std::int64_t layer)
      : key(fmt::format("{}{}key.{}", kind, kind.empty() ? "" : "_", layer)),
        value(fmt::format("{}{}value.{}", kind, kind.empty() ? "" : "_", layer)) {}
};

}  // namespace

std::vector<KeyValueCache> make_caches(const LanguageModel& model, Site site, std::int64_t rows) {
  const AttentionShape shape = model.attention_shape(site);
  const auto memory = [&] { return Tensor(model.activations(), {rows, shape.kv_width()}); };
  std::vector<KeyValueCache> caches;
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) caches.push_back({memory(), memory()});
  return caches;
}

std::int64_t bytes_of_cache_row(const LanguageModel& model, Site site) {
  const AttentionShape shape = model.attention_shape(site);
  return shape.layers * 2 * shape.kv_width() * static_cast<std::int64_t>(size_of(model.activations()));
}

KeyValue in_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, KeyValue made, Value cache_row, std::string_view kind) {
  const Names names(kind, layer);
  const Value keys = append_rows(graph.state(names.key, cache.key), made.key, cache_row);
  return {keys, append_rows(graph.state(names.value, cache.value), made.value, cache_row)};
}

void keep_in_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, KeyValue made, Value cache_row, std::string_view kind) {
  const Names names(kind, layer);
  const auto [keys, values] = in_cache(graph, cache, layer, made, cache_row, kind);
  graph.output(names.key, keys);
  graph.output(names.value, values);
}

KeyValue from_cache(Graph& graph, const KeyValueCache& cache, std::int64_t layer, RowSpaceId rows, std::string_view kind) {
  const Names names(kind, layer);
  const Value keys = graph.state(names.key, cache.key, rows);
  return {keys, graph.state(names.value, cache.value, rows)};
}

}  // namespace preamble
