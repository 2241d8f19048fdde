#include "peft/prefix_tuning.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/concat_rows.h"
#include "engine/ops/pack_heads.h"
#include "engine/ops/split_columns.h"
#include "peft/prompt_tuning.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<Site, std::string_view>, 3> kSites = {
    {{Site::encoder_self, "encoder_self"}, {Site::decoder_self, "decoder_self"}, {Site::cross, "cross"}}};

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

/// Tensors that a table trains, named as in files.
std::vector<Trainable> tensors_of(const SitePrefixTable& table) {
  std::vector<Trainable> tensors =
      std::visit(Overloaded{[](const PackedRows& packed) {
                              return std::vector<Trainable>{{std::string(PromptTuning::kEmbeddings), packed.rows}};
                            },
                            [](const KeysAndValues& pairs) {
                              return std::vector<Trainable>{{"key", pairs.key}, {"value", pairs.value}};
                            },
                            [](const PromptEncoder& encoder) { return encoder.tensors(); }},
                 table.source);
  for (auto& tensor : tensors) tensor.name.insert(0, table.names);
  return tensors;
}

/// The rows of a table: keys and values of all pairs side by side, or keys and values apart.
std::vector<Value> rows_of(Graph& graph, const SitePrefixTable& table, const LeafNames& slot) {
  const LeafNames names = [&](std::string_view name) { return slot(table.names + std::string(name)); };
  if (const auto* heads = std::get_if<KeysAndValues>(&table.source)) {
    return {pack_heads(graph.trainable(names("key"), heads->key)), pack_heads(graph.trainable(names("value"), heads->value))};
  }
  if (const auto* encoder = std::get_if<PromptEncoder>(&table.source)) return {encoder->build(graph, names)};
  return {graph.trainable(names(PromptTuning::kEmbeddings), std::get<PackedRows>(table.source).rows)};
}

/// Keys and values of each pair, as rows [P, H·d], of what `rows_of` gave.
std::vector<PrefixRows> pairs_of(const SitePrefixTable& table, const std::vector<Value>& rows) {
  const std::int64_t width = table.heads * table.head_dim;
  const auto count = static_cast<std::size_t>(table.pairs());
  std::vector<PrefixRows> pairs(count);
  if (rows.size() == 2) {
    const auto keys = split_columns(rows[0], std::vector(count, width));
    const auto values = split_columns(rows[1], std::vector(count, width));
    for (std::size_t pair = 0; pair < count; ++pair) pairs[pair] = {keys[pair], values[pair]};
    return pairs;
  }
  const auto parts = split_columns(rows[0], std::vector(2 * count, width));
  for (std::size_t pair = 0; pair < count; ++pair) pairs[pair] = {parts[2 * pair], parts[2 * pair + 1]};
  return pairs;
}

/// Do layers read the same columns of both tables?
bool are_alike(const SitePrefixTable& a, const SitePrefixTable& b) {
  return std::holds_alternative<KeysAndValues>(a.source) == std::holds_alternative<KeysAndValues>(b.source) && a.pairs() == b.pairs() &&
         a.pair_of_layer == b.pair_of_layer;
}

void check(Site site, const SitePrefixTable& table) {
  const std::int64_t width = table.heads * table.head_dim;
  require<ShapeError>(width > 0, "prefix '{}': {} heads of {} were given; wanted positive numbers", name_of(site), table.heads,
                      table.head_dim);
  if (const auto* pairs = std::get_if<KeysAndValues>(&table.source)) {
    const Dims& dims = pairs->key.dims();
    require<ShapeError>(dims.size() == 4 && dims[1] == table.heads && dims[3] == table.head_dim && dims == pairs->value.dims(),
                        "prefix '{}': keys {} and values {} were given; wanted [pairs, {}, P, {}]", name_of(site), to_string(dims),
                        to_string(pairs->value.dims()), table.heads, table.head_dim);
  } else {
    const auto* packed = std::get_if<PackedRows>(&table.source);
    require<ShapeError>(packed == nullptr || packed->rows.dims().size() == 2, "prefix '{}': rows {} were given; wanted a matrix",
                        name_of(site), packed == nullptr ? "" : to_string(packed->rows.dims()));
    const std::int64_t columns = packed != nullptr ? packed->rows.dim(1) : std::get<PromptEncoder>(table.source).shape().output;
    require<ShapeError>(columns > 0 && columns % (2 * width) == 0,
                        "prefix '{}': rows of {} were given; wanted a multiple of {} (2, {} heads, {})", name_of(site), columns, 2 * width,
                        table.heads, table.head_dim);
  }
  require<ShapeError>(table.tokens() > 0 && !table.pair_of_layer.empty(),
                      "prefix '{}': {} rows for {} layers were given; wanted one at least", name_of(site), table.tokens(),
                      table.pair_of_layer.size());
  for (const auto& [layer, pair] : table.pair_of_layer) {
    require<ShapeError>(pair >= 0 && pair < table.pairs(), "prefix '{}': layer {} reads pair {}; there are {}", name_of(site), layer, pair,
                        table.pairs());
  }
}

std::set<std::int64_t> layers_of(const SitePrefixTable& table) {
  std::set<std::int64_t> layers;
  for (const auto& [layer, pair] : table.pair_of_layer) layers.insert(layer);
  return layers;
}

bool in_all(const std::vector<const SitePrefixTable*>& tables, std::int64_t layer) {
  return std::ranges::all_of(tables, [&](const SitePrefixTable* table) { return table->pair_of_layer.contains(layer); });
}

/// Elements of [P, pairs, 2, H, d] against those of key and value [pairs, H, P, d].
template <class Move>
void each_element(const Tensor& key, std::int64_t tokens, const Move& move) {
  const std::int64_t pairs = key.dim(0), heads = key.dim(1), dim = key.dim(3);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t token = 0; token < tokens; ++token) {
        const std::int64_t row = (pair * heads + head) * tokens + token;
        const std::int64_t first = ((token * pairs + pair) * 2 * heads + head) * dim;
        for (std::int64_t j = 0; j < dim; ++j) {
          move(static_cast<std::size_t>(row * dim + j), static_cast<std::size_t>(first + j),
               static_cast<std::size_t>(first + heads * dim + j));
        }
      }
    }
  }
}

}  // namespace

std::string_view name_of(Site site) noexcept { return kSites[static_cast<std::size_t>(site)].second; }

Site site_of(std::string_view name) {
  const auto found = std::ranges::find(kSites, name, &std::pair<Site, std::string_view>::second);
  require<ConfigError>(found != kSites.end(), "prefix site: '{}' was given; wanted encoder_self, decoder_self or cross", name);
  return found->first;
}

std::map<std::int64_t, std::int64_t> pairs_of_layers(std::int64_t layers, std::int64_t submodules) {
  std::map<std::int64_t, std::int64_t> pairs;
  for (std::int64_t layer = 0; layer < layers; ++layer) pairs[layer] = submodules == 2 ? 2 * layer % layers : layer;
  return pairs;
}

std::int64_t SitePrefixTable::tokens() const {
  return std::visit(
      Overloaded{[](const PackedRows& packed) { return packed.rows.dim(0); }, [](const KeysAndValues& pairs) { return pairs.key.dim(2); },
                 [](const PromptEncoder& encoder) { return encoder.shape().rows; }},
      source);
}

std::int64_t SitePrefixTable::pairs() const {
  const std::int64_t width = 2 * heads * head_dim;
  return std::visit(Overloaded{[&](const PackedRows& packed) { return packed.rows.dim(1) / width; },
                               [](const KeysAndValues& both) { return both.key.dim(0); },
                               [&](const PromptEncoder& encoder) { return encoder.shape().output / width; }},
                    source);
}

PackedRows SitePrefixTable::packed() const {
  if (const auto* rows = std::get_if<PackedRows>(&source)) return {rows->rows.clone()};
  if (const auto* encoder = std::get_if<PromptEncoder>(&source)) return {encoder->fold()};
  const auto& both = std::get<KeysAndValues>(source);
  Tensor rows(Dtype::f32, {tokens(), pairs() * 2 * heads * head_dim});
  const auto to = rows.values<float>();
  const auto keys = both.key.values<float>();
  const auto values = both.value.values<float>();
  each_element(both.key, tokens(), [&](std::size_t from, std::size_t key, std::size_t value) {
    to[key] = keys[from];
    to[value] = values[from];
  });
  return {rows};
}

KeysAndValues SitePrefixTable::unpacked() const {
  if (const auto* both = std::get_if<KeysAndValues>(&source)) return {both->key.clone(), both->value.clone()};
  const Tensor rows = packed().rows;
  const Dims dims = {pairs(), heads, tokens(), head_dim};
  KeysAndValues both{Tensor(Dtype::f32, dims), Tensor(Dtype::f32, dims)};
  const auto from = rows.values<float>();
  const auto keys = both.key.values<float>();
  const auto values = both.value.values<float>();
  each_element(both.key, tokens(), [&](std::size_t to, std::size_t key, std::size_t value) {
    keys[to] = from[key];
    values[to] = from[value];
  });
  return both;
}

PrefixTuning::PrefixTuning(std::vector<PrefixSlot> slots, PrefixPositions positions) : slots_(std::move(slots)), positions_(positions) {
  require<ShapeError>(!slots_.empty(), "prefix tuning: no prefixes were given; wanted one at least");
  for (const auto& slot : slots_) {
    require<ShapeError>(!slot.empty(), "prefix tuning: a prefix without any site was given; wanted one at least");
    for (const auto& [site, table] : slot) {
      check(site, table);
      for (const auto& other : slots_) {
        const auto same = other.find(site);
        require<ShapeError>(positions.placement == Placement::prefix || same == other.end() || layers_of(same->second) == layers_of(table),
                            "prefix '{}': infixes of layers {} and {} were given; wanted the same layers in all slots", name_of(site),
                            fmt::join(layers_of(table), ", "),
                            same == other.end() ? "" : fmt::format("{}", fmt::join(layers_of(same->second), ", ")));
      }
    }
  }
}

SlotSpace PrefixTuning::slots_with(Site site, std::int64_t layer) const {
  SlotSpace space{fmt::format("prefix.{}.{}", name_of(site), layer), {}};
  for (const auto& slot : slots_) {
    const auto found = slot.find(site);
    const bool has = found != slot.end() && found->second.pair_of_layer.contains(layer);
    space.slots.append(has ? static_cast<std::int32_t>(found->second.tokens()) : 0);
  }
  return space;
}

void PrefixTuning::condition_site(Graph& graph, Site site, Conditioning& conditioning) const {
  SitePrefix prefix;
  prefix.space.name = fmt::format("prefix.{}", name_of(site));
  std::vector<std::vector<Value>> numbers;
  std::vector<const SitePrefixTable*> tables;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const auto found = slots_[slot].find(site);
    prefix.space.slots.append(found == slots_[slot].end() ? 0 : static_cast<std::int32_t>(found->second.tokens()));
    if (found == slots_[slot].end()) continue;
    numbers.push_back(rows_of(graph, found->second, [&](std::string_view name) { return slot_name(slot, slots_.size(), name); }));
    tables.push_back(&found->second);
  }
  if (tables.empty()) return;
  if (std::ranges::all_of(tables, [&](const SitePrefixTable* table) { return are_alike(*table, *tables[0]); })) {
    // one copy for all layers
    const RowSpaceId space = graph.rows(prefix.space.name, prefix.space.slots.rows(), prefix.space.slots.count());
    std::vector<std::int64_t> counts;
    for (const auto* table : tables) counts.push_back(table->tokens());
    std::vector<Value> all;
    for (std::size_t part = 0; part < numbers[0].size(); ++part) {
      std::vector<Value> values;
      for (const auto& rows : numbers) values.push_back(rows[part]);
      all.push_back(concat_rows(values, counts, space));
    }
    const std::vector<PrefixRows> pairs = pairs_of(*tables[0], all);
    for (const auto& [layer, pair] : tables[0]->pair_of_layer) prefix.layers[layer] = pairs.at(static_cast<std::size_t>(pair));
    conditioning.prefixes[site] = std::move(prefix);
    return;
  }
  std::vector<std::vector<PrefixRows>> pairs;
  for (std::size_t i = 0; i < tables.size(); ++i) pairs.push_back(pairs_of(*tables[i], numbers[i]));
  std::set<std::int64_t> layers;
  for (const auto* table : tables) layers.merge(layers_of(*table));
  for (const auto layer : layers) {
    if (!in_all(tables, layer)) prefix.partial[layer] = slots_with(site, layer);
    const SlotSpace& space = prefix.space_of(layer);
    const RowSpaceId rows = graph.rows(space.name, space.slots.rows(), space.slots.count());
    std::vector<Value> keys;
    std::vector<Value> values;
    std::vector<std::int64_t> counts;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (!tables[i]->pair_of_layer.contains(layer)) continue;
      counts.push_back(tables[i]->tokens());
      const PrefixRows& pair = pairs[i].at(static_cast<std::size_t>(tables[i]->pair_of_layer.at(layer)));
      keys.push_back(pair.key);
      values.push_back(pair.value);
    }
    prefix.layers[layer] = {concat_rows(keys, counts, rows), concat_rows(values, counts, rows)};
  }
  conditioning.prefixes[site] = std::move(prefix);
}

Conditioning PrefixTuning::condition(Graph& graph) const {
  const Scope scope(graph, "prefix");
  Conditioning conditioning;
  conditioning.placement = positions_.placement;
  conditioning.prefix_shifts_positions = positions_.shifted;
  conditioning.prefix_has_relative_positions = positions_.relative;
  for (const auto& [site, name] : kSites) condition_site(graph, site, conditioning);
  return conditioning;
}

std::vector<Trainable> PrefixTuning::trainables() const {
  std::vector<Trainable> result;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    for (const auto& [site, table] : slots_[slot]) {
      for (auto& tensor : tensors_of(table)) result.push_back({slot_name(slot, slots_.size(), tensor.name), tensor.value});
    }
  }
  return result;
}

}  // namespace preamble
