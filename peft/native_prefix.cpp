#include "peft/native_prefix.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/adapter_file.h"
#include "peft/head_file.h"
#include "peft/native_prompt.h"

namespace preamble {
namespace {

/// The layers of a site, in the order of the file. `layers` in preamble.json may leave the site out.
std::vector<std::int64_t> layers_of(const JsonFile& json, Site site, std::int64_t count) {
  std::vector<std::int64_t> layers;
  if (json.has("layers")) layers = json.section("layers").get<std::vector<std::int64_t>>(name_of(site), {});
  if (!json.has("layers") || !json.section("layers").has(name_of(site))) {
    for (std::int64_t layer = 0; layer < count; ++layer) layers.push_back(layer);
  }
  const std::set<std::int64_t> unique(layers.begin(), layers.end());
  require<FileError>(!layers.empty() && unique.size() == layers.size() && *unique.begin() >= 0 && *unique.rbegin() < count,
                     "{}: layers [{}] of '{}'; wanted different ones below {}", json.where(), fmt::join(layers, ", "), name_of(site),
                     count);
  return layers;
}

std::vector<Site> sites_of(const JsonFile& json) {
  std::vector<Site> sites;
  for (const auto& name : json.get<std::vector<std::string>>("sites")) {
    const bool known = name == "encoder_self" || name == "decoder_self" || name == "cross";
    require<FileError>(known, "{}: site '{}'; wanted encoder_self, decoder_self or cross", json.where(), name);
    require<FileError>(std::ranges::find(sites, site_of(name)) == sites.end(), "{}: site '{}' stands there twice", json.where(), name);
    sites.push_back(site_of(name));
  }
  return sites;
}

/// A tensor [layers, H, P, d] as an owned copy.
Tensor read_heads(const TensorFile& file, const std::string& name, std::int64_t layers, const AttentionShape& shape, const Warn& warn) {
  require<FileError>(file.contains(name), "{}: tensor '{}' is missing; wanted a prefix", file.path().string(), name);
  const Dims& dims = file.dims(name);
  require<FileError>(dims.size() == 4 && dims[0] == layers && dims[1] == shape.kv_heads && dims[2] > 0 && dims[3] == shape.head_dim,
                     "{}: '{}' is {}; wanted [{}, {}, P, {}]", file.path().string(), name, to_string(dims), layers, shape.kv_heads,
                     shape.head_dim);
  const Tensor stored = file.get(name);
  require<FileError>(is_floating(stored.dtype()), "{}: '{}' is {}; wanted a floating type", file.path().string(), name,
                     name_of(stored.dtype()));
  return owned_floats(stored, fmt::format("{}: '{}'", file.path().string(), name), warn);
}

}  // namespace

bool NativePrefix::is_in(const std::filesystem::path& folder) { return std::filesystem::exists(folder / kDescription); }

NativePrefix NativePrefix::read(const std::filesystem::path& folder, const SiteShapes& shapes,
                                const std::optional<std::filesystem::path>& trainable, const Warn& warn) {
  const JsonFile json = JsonFile::open(folder / kDescription);
  const auto format = json.get<std::int64_t>("format");
  const auto method = json.get<std::string>("method");
  const auto positions = json.get<std::string>("positions", "unshifted");
  require<FileError>(format == 1, "{}: format {}; wanted 1", json.where(), format);
  require<FileError>(method == "prefix", "{}: method '{}'; wanted prefix", json.where(), method);
  require<FileError>(positions == "shifted" || positions == "unshifted", "{}: positions '{}'; wanted shifted or unshifted", json.where(),
                     positions);
  const SafetensorsFile file = SafetensorsFile::open(folder / kTensors);
  std::optional<SafetensorsFile> weights;
  if (trainable) weights = SafetensorsFile::open(*trainable);
  NativePrefix prefix;
  prefix.shifted = positions == "shifted";
  prefix.placement = read_placement(json);
  prefix.pooler = pooler_of(json.get<std::string>("pooler", std::string(name_of(prefix.pooler))));
  for (const Site site : sites_of(json)) {
    const AttentionShape shape = shapes(site);
    const auto layers = layers_of(json, site, shape.layers);
    const std::string names = fmt::format("{}.", name_of(site));
    const auto count = static_cast<std::int64_t>(layers.size());
    KeysAndValues both{read_heads(file, names + "key", count, shape, warn), read_heads(file, names + "value", count, shape, warn)};
    require<FileError>(both.key.dims() == both.value.dims(), "{}: '{}key' is {} and '{}value' is {}; wanted equal dimensions",
                       file.path().string(), names, to_string(both.key.dims()), names, to_string(both.value.dims()));
    SitePrefixTable table{std::move(both), shape.kv_heads, shape.head_dim, {}, names};
    for (std::int64_t i = 0; i < count; ++i) table.pair_of_layer[layers[static_cast<std::size_t>(i)]] = i;
    if (weights && weights->contains(names + "embedding.weight")) {
      PromptEncoder encoder = PromptEncoder::read(*weights, EncoderKind::projection, names);
      const EncoderShape& given = encoder.shape();
      require<FileError>(given.rows == table.tokens() && given.output == count * 2 * shape.kv_width(),
                         "{}: a reparametrisation of {} rows of {}; wanted {} of {} for '{}'", weights->path().string(), given.rows,
                         given.output, table.tokens(), count * 2 * shape.kv_width(), name_of(site));
      table.source = std::move(encoder);
    }
    prefix.slot.emplace(site, std::move(table));
  }
  require<FileError>(prefix.placement == Placement::prefix || (prefix.slot.size() == 1 && prefix.slot.contains(Site::decoder_self)),
                     "{}: an infix of other sites; wanted decoder_self alone", json.where());
  prefix.head = read_head(folder);
  require<FileError>(!prefix.slot.empty() || !prefix.head.empty(), "{}: no sites and no head; wanted one at least", json.where());
  return prefix;
}

void NativePrefix::write(const std::filesystem::path& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", folder.string(), error.message());
  nlohmann::ordered_json json = {{"format", 1}, {"method", "prefix"}, {"sites", nlohmann::ordered_json::array()}};
  json["positions"] = shifted ? "shifted" : "unshifted";
  if (placement == Placement::infix) json["placement"] = name_of(placement);
  if (pooler != Pooler::automatic) json["pooler"] = name_of(pooler);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [site, table] : slot) {
    const std::string name(name_of(site));
    std::vector<std::int64_t> layers(static_cast<std::size_t>(table.pairs()));
    for (const auto& [layer, pair] : table.pair_of_layer) layers.at(static_cast<std::size_t>(pair)) = layer;
    json["sites"].push_back(name);
    json["layers"][name] = layers;
    const KeysAndValues both = table.unpacked();
    tensors.emplace_back(name + ".key", both.key);
    tensors.emplace_back(name + ".value", both.value);
  }
  for (const auto& [name, tensor] : head) tensors.emplace_back(std::string(kHeadPrefix) + name, tensor);
  write_safetensors(folder / kTensors, tensors);
  write_atomically(folder / kDescription, json.dump(2) + "\n");
}

}  // namespace preamble
