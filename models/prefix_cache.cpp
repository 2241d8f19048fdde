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

std::string cache_row_name(const SlotSpace& space) { return space.name + ".cache_row"; }

}  // namespace

Conditioning conditioning_alone(LanguageModel& model, const Conditioner& conditioner) {
  Graph graph = model.parameters().graph();
  return conditioner(graph);
}

PrefixCache::PrefixCache(const LanguageModel& model, const Conditioning& conditioning, const std::vector<Site>& sites)
    : shifts_positions_(conditioning.prefix_shifts_positions), relative_positions_(conditioning.prefix_has_relative_positions) {
  for (const Site site : sites) {
    const auto found = conditioning.prefixes.find(site);
    if (found == conditioning.prefixes.end()) continue;
    SiteCache& cache = sites_[site];
    cache.prefix.space = found->second.space;
    cache.prefix.partial = found->second.partial;
    for (const auto& [layer, rows] : found->second.layers) {
      const Dims dims = {cache.prefix.space_of(layer).slots.rows(), model.attention_shape(site).kv_width()};
      cache.layers[layer] = {Tensor(Dtype::f32, dims), Tensor(Dtype::f32, dims)};
    }
  }
}

void PrefixCache::write(Graph& graph, const Conditioning& conditioning) const {
  for (const auto& [site, cache] : sites_) {
    for (const auto& [layer, memory] : cache.layers) {
      const SlotSpace& space = cache.prefix.space_of(layer);
      const Value cache_row = row_input(graph, cache_row_name(space), graph.rows(space.name, space.slots.rows(), space.slots.count()));
      const PrefixRows* values = conditioning.prefix(site, layer);
      const auto keep = [&](std::string_view what, const Tensor& tensor, Value value) {
        const std::string name = label(what, space, layer);
        graph.output(name, append_rows(graph.state(name, tensor), cast(value, tensor.dtype()), cache_row));
      };
      keep("key", memory.key, values->key);
      keep("value", memory.value, values->value);
    }
  }
}

void PrefixCache::feed(Session& session) const {
  for (const auto& [site, cache] : sites_) {
    const auto feed_space = [&](const SlotSpace& space) {
      session.rows(space.name, space.slots);
      Ids cache_rows(static_cast<std::size_t>(space.slots.rows()));
      std::iota(cache_rows.begin(), cache_rows.end(), 0);
      feed_input(session, cache_row_name(space), cache_rows);
    };
    feed_space(cache.prefix.space);
    for (const auto& [layer, space] : cache.prefix.partial) feed_space(space);
  }
}

Conditioning PrefixCache::read(Graph& graph) const {
  Conditioning conditioning;
  conditioning.prefix_shifts_positions = shifts_positions_;
  conditioning.prefix_has_relative_positions = relative_positions_;
  for (const auto& [site, cache] : sites_) {
    SitePrefix& prefix = conditioning.prefixes[site];
    prefix = cache.prefix;
    for (const auto& [layer, memory] : cache.layers) {
      const SlotSpace& space = cache.prefix.space_of(layer);
      const RowSpaceId rows = graph.rows(space.name, space.slots.rows(), space.slots.count());
      prefix.layers[layer] = {graph.state(label("key", space, layer), memory.key, rows),
                              graph.state(label("value", space, layer), memory.value, rows)};
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
    for (const auto& [layer, unused] : found->second.layers) {
      bytes += found->second.space_of(layer).slots.rows() * model.attention_shape(site).kv_width() * 2 * static_cast<std::int64_t>(sizeof(float));
    }
  }
  return bytes;
}

}  // namespace preamble
