#include "models/top_layers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Number of the layer that a parameter belongs to: `transformer.h.3.ln_1.weight`, `decoder.block.3.layer.0...`,
/// `model.decoder.layers.3...`, `bert.encoder.layer.3...`.
std::optional<std::int64_t> layer_of(std::string_view name) {
  constexpr std::array<std::string_view, 4> kStacks = {"h.", "block.", "layers.", "layer."};
  for (std::size_t at = 0; at < name.size(); at = std::min(name.find('.', at), name.size() - 1) + 1) {
    for (const auto stack : kStacks) {
      const std::string_view rest = name.substr(at);
      if (!rest.starts_with(stack)) continue;
      std::int64_t layer = 0;
      const auto [stop, error] = std::from_chars(rest.data() + stack.size(), rest.data() + rest.size(), layer);
      if (error == std::errc() && stop != rest.data() + rest.size() && *stop == '.') return layer;
    }
  }
  return std::nullopt;
}

bool in_decoder(std::string_view name) { return name.starts_with("decoder.") || name.find(".decoder.") != std::string_view::npos; }

/// The norm behind the last layer, and an output projection of its own.
bool behind_layers(std::string_view name) {
  constexpr std::array<std::string_view, 5> kParts = {"ln_f.", "decoder.final_layer_norm.", "decoder.layer_norm.", "gpt_neox.final_layer_norm.", "model.norm."};
  return name == "lm_head.weight" || name == "embed_out.weight" || std::ranges::any_of(kParts, [&](std::string_view part) {
           const std::size_t found = name.find(part);
           return found == 0 || (found != std::string_view::npos && name[found - 1] == '.');
         });
}

}  // namespace

Freeze freeze_below_top(std::span<const std::string> names, std::int64_t layers) {
  const bool two_stacks = std::ranges::any_of(names, [](const std::string& name) { return in_decoder(name) && layer_of(name); });
  std::int64_t count = 0;
  for (const auto& name : names) {
    if (!two_stacks || in_decoder(name)) count = std::max(count, layer_of(name).value_or(-1) + 1);
  }
  require<UnsupportedError>(count > 0, "trainable layers: the names of this model's parameters have no layer numbers");
  require<ConfigError>(layers > 0 && layers <= count, "trainable layers: {} were given; wanted 1 to {}", layers, count);
  return [two_stacks, first = count - layers](std::string_view name) {
    if (behind_layers(name)) return false;
    return layer_of(name).value_or(-1) < first || (two_stacks && !in_decoder(name));
  };
}

}  // namespace preamble
