#include "models/prefix_cache.h"

#include <numeric>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/cast.h"
#include "models/building.h"
#include "models/feeding.h"

namespace preamble {
namespace {

std::string label(std::string_view what, const SlotSpace& space, std::int64_t layer) { return fmt::format("{}.{}.{}", space.name, what, layer); }

std::string place_name(const SlotSpace& space) { return space.name + ".place"; }

}  // namespace

PrefixCache::PrefixCache(const LanguageModel& model, const Conditioning& conditioning, const std::vector<Site>& sites)
    : shifts_positions_(conditioning.prefix_shifts_positions), relative_positions_(conditioning.prefix_has_relative_positions) {
  for (const Site site : sites) {
    const auto found = conditioning.prefixes.find(site);
    if (found == conditioning.prefixes.end()) continue;
    SiteCache& cache = sites_[site];
    cache.space = found->second.space;
    const Dims dims = {cache.space.slots.rows(), model.attention_shape(site).kv_width()};
    for (const auto& [layer, rows] : found->second.layers) cache.layers[layer] = {Tensor(Dtype::f32, dims), Tensor(Dtype::f32, dims)};
  }
}

void PrefixCache::write(Graph& graph, const Conditioning& conditioning) const {
  for (const auto& [site, cache] : sites_) {
    const RowSpaceId rows = graph.rows(cache.space.name, cache.space.slots.rows(), cache.space.slots.count());
    const Value place = row_input(graph, place_name(cache.space), rows);
    for (const auto& [layer, memory] : cache.layers) {
      const PrefixRows* values = conditioning.prefix(site, layer);
      const auto keep = [&](std::string_view what, const Tensor& tensor, Value value) {
        const std::string name = label(what, cache.space, layer);
        graph.output(name, append_rows(graph.state(name, tensor), cast(value, tensor.dtype()), place));
      };
      keep("key", memory.key, values->key);
      keep("value", memory.value, values->value);
    }
  }
}

void PrefixCache::feed(Session& session) const {
  for (const auto& [site, cache] : sites_) {
    session.rows(cache.space.name, cache.space.slots);
    Ids places(static_cast<std::size_t>(cache.space.slots.rows()));
    std::iota(places.begin(), places.end(), 0);
    feed_input(session, place_name(cache.space), places);
  }
}

Conditioning PrefixCache::read(Graph& graph) const {
  Conditioning conditioning;
  conditioning.prefix_shifts_positions = shifts_positions_;
  conditioning.prefix_has_relative_positions = relative_positions_;
  for (const auto& [site, cache] : sites_) {
    const RowSpaceId rows = graph.rows(cache.space.name, cache.space.slots.rows(), cache.space.slots.count());
    SitePrefix& prefix = conditioning.prefixes[site];
    prefix.space = cache.space;
    for (const auto& [layer, memory] : cache.layers) {
      prefix.layers[layer] = {graph.state(label("key", cache.space, layer), memory.key, rows),
                              graph.state(label("value", cache.space, layer), memory.value, rows)};
    }
  }
  return conditioning;
}

std::int64_t PrefixCache::bytes() const noexcept {
  std::int64_t bytes = 0;
  for (const auto& [site, cache] : sites_) {
    for (const auto& [layer, memory] : cache.layers) bytes += static_cast<std::int64_t>(memory.key.bytes() + memory.value.bytes());
  }
  return bytes;
}

std::int64_t PrefixCache::bytes_for(const LanguageModel& model, const Conditioning& conditioning, const std::vector<Site>& sites) {
  std::int64_t bytes = 0;
  for (const Site site : sites) {
    const auto found = conditioning.prefixes.find(site);
    if (found == conditioning.prefixes.end()) continue;
    const auto layers = static_cast<std::int64_t>(found->second.layers.size());
    bytes += layers * found->second.space.slots.rows() * model.attention_shape(site).kv_width() * 2 * static_cast<std::int64_t>(sizeof(float));
  }
  return bytes;
}

}  // namespace preamble
