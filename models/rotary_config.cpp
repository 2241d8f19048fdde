#include "models/rotary_config.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// The section with the type and its numbers; nothing where there is neither.
std::optional<JsonFile> scaling_of(const JsonFile& json) {
  for (const auto* key : {"rope_parameters", "rope_scaling"}) {
    if (json.has(key)) return json.section(key);
  }
  return std::nullopt;
}

double positive(const JsonFile& json, std::string_view key, std::optional<double> fallback = {}) {
  const double value = fallback ? json.get<double>(key, *fallback) : json.get<double>(key);
  require<FileError>(std::isfinite(value) && value > 0, "{}: field '{}' is {}; wanted a positive number", json.where(), key, value);
  return value;
}

/// The first of some fields that the file has.
double one_of(const JsonFile& json, std::initializer_list<std::string_view> keys, double fallback) {
  for (const auto key : keys) {
    if (json.has(key)) return positive(json, key);
  }
  return fallback;
}

/// How much longer contexts flatten the scores: 0.1 m ln F + 1.
double flattening(double factor, double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1; }

void read_yarn(const JsonFile& section, RotaryOptions& options) {
  options.scaling = RotaryScaling::yarn;
  options.beta_fast = positive(section, "beta_fast", options.beta_fast);
  options.beta_slow = positive(section, "beta_slow", options.beta_slow);
  options.whole_bounds = section.get<bool>("truncate", true);
  const double m = section.get<double>("mscale", 0);
  const double all = section.get<double>("mscale_all_dim", 0);
  const double by_default =
      m != 0 && all != 0 ? flattening(options.factor, m) / flattening(options.factor, all) : flattening(options.factor, 1);
  options.attention_factor = positive(section, "attention_factor", by_default);
}

void read_llama3(const JsonFile& section, RotaryOptions& options) {
  options.scaling = RotaryScaling::llama3;
  options.low = positive(section, "low_freq_factor");
  options.high = positive(section, "high_freq_factor");
  require<FileError>(options.low < options.high, "{}: low_freq_factor is {} and high_freq_factor {}; wanted a larger second one", section.where(),
                     options.low, options.high);
}

void read_dynamic(const JsonFile& section, std::int64_t positions, RotaryOptions& options) {
  options.scaling = RotaryScaling::dynamic;
  // transformers counts from there, whatever the section says
  options.original_length = static_cast<double>(positions);
  options.factor = positive(section, "factor");
  require<FileError>(options.factor >= 1 && options.columns > 2, "{}: the factor is {}, for {} columns; wanted at least 1, for more than 2",
                     section.where(), options.factor, options.columns);
}

/// A list of factors, one for each frequency.
std::vector<double> factors_of(const JsonFile& section, const char* key, std::int64_t count) {
  const auto found = section.value().find(key);
  const bool list = found != section.value().end() && found->is_array() && static_cast<std::int64_t>(found->size()) == count &&
                    std::all_of(found->begin(), found->end(), [](const nlohmann::json& x) { return x.is_number() && x.get<double>() > 0; });
  require<FileError>(list, "{}: field '{}' is {}; wanted {} positive numbers", section.where(), key,
                     found == section.value().end() ? "missing" : found->dump(), count);
  return found->get<std::vector<double>>();
}

/// transformers takes the long factors for a whole batch as soon as one sequence is longer than the pretraining's: where these differ from the
/// short ones, longer sequences are refused.
void read_longrope(const JsonFile& section, RotaryConfig& config) {
  RotaryOptions& options = config.options;
  options.scaling = RotaryScaling::divided;
  options.divisors = factors_of(section, "short_factor", options.columns / 2);
  if (factors_of(section, "long_factor", options.columns / 2) != options.divisors) {
    config.longest = static_cast<std::int64_t>(options.original_length);
  }
  const double factor = options.factor;
  const double by_default = factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(options.original_length));
  options.attention_factor = positive(section, "attention_factor", by_default);
}

}  // namespace

RotaryConfig read_rotary(const JsonFile& json, std::int64_t head_dim, std::int64_t positions, const RotaryDefaults& defaults) {
  const std::optional<JsonFile> section = scaling_of(json);
  RotaryConfig config;
  RotaryOptions& options = config.options;
  const double theta = one_of(json, {"rope_theta", "rotary_emb_base"}, defaults.theta);
  const double part = one_of(json, {"partial_rotary_factor", "rotary_pct"}, defaults.part);
  options.theta = section ? positive(*section, "rope_theta", theta) : theta;
  const double turned = section ? positive(*section, "partial_rotary_factor", part) : part;
  require<FileError>(options.theta > 1, "{}: rope_theta is {}; wanted more than 1", json.where(), options.theta);
  options.columns = static_cast<std::int64_t>(static_cast<double>(head_dim) * turned);
  require<FileError>(turned <= 1 && options.columns > 0 && options.columns % 2 == 0,
                     "{}: {} of {} columns of a head are turned; wanted an even number of at most all", json.where(), options.columns, head_dim);
  if (!section) return config;

  const auto type = section->get<std::string>("rope_type", section->get<std::string>("type", "default"));
  if (type == "default") return config;
  require<UnsupportedError>(type == "linear" || type == "dynamic" || type == "llama3" || type == "yarn" || type == "longrope",
                            "{}: rope_type is '{}'; wanted default, dynamic, linear, llama3, longrope or yarn", section->where(), type);
  // where both say it, transformers takes the outer one
  const JsonFile& outer = json.has("original_max_position_embeddings") ? json : *section;
  options.original_length = positive(outer, "original_max_position_embeddings", static_cast<double>(positions));
  options.factor = positive(*section, "factor", static_cast<double>(positions) / options.original_length);
  if (type == "dynamic") read_dynamic(*section, positions, options);
  if (type == "linear") options.scaling = RotaryScaling::linear;
  if (type == "llama3") read_llama3(*section, options);
  if (type == "yarn") read_yarn(*section, options);
  if (type == "longrope") read_longrope(*section, config);
  return config;
}

}  // namespace preamble
