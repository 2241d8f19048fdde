#include "models/deberta/config.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

/// Parts of `text` between bars, lower-case and without blanks: "p2c|c2p".
std::vector<std::string> between_bars(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, '|');) {
    std::erase(part, ' ');
    std::ranges::transform(part, part.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    parts.push_back(part);
  }
  return parts;
}

/// A list, or text with bars; absent: empty.
std::vector<std::string> terms_of(const JsonFile& json) {
  constexpr std::string_view kField = "pos_att_type";
  if (!json.has(kField)) return {};
  auto terms = json.value()[std::string(kField)].is_string() ? between_bars(json.get<std::string>(kField))
                                                             : json.get<std::vector<std::string>>(kField);
  std::erase(terms, "");
  for (const auto& term : terms) {
    require<UnsupportedError>(term == "c2p" || term == "p2c", "{}: pos_att_type has '{}'; wanted c2p or p2c", json.where(), term);
  }
  return terms;
}

/// Sizes of relative positions; -1 stands for none, as in transformers.
void read_distances(const JsonFile& json, DebertaConfig& c) {
  constexpr std::int64_t kLongest = 1 << 20;
  c.relative_attention = json.get<bool>("relative_attention", false);
  const auto terms = terms_of(json);
  c.content_to_position = std::ranges::count(terms, "c2p") > 0;
  c.position_to_content = std::ranges::count(terms, "p2c") > 0;
  c.share_att_key = json.get<bool>("share_att_key", false);
  c.norm_distances = std::ranges::count(between_bars(json.get<std::string>("norm_rel_ebd", "none")), "layer_norm") > 0;
  if (!c.relative_attention) return;
  auto longest = json.get<std::int64_t>("max_relative_positions", -1);
  if (longest < 1) longest = c.max_position_embeddings;
  const std::int64_t buckets = std::max<std::int64_t>(json.get<std::int64_t>("position_buckets", -1), 0);
  require<FileError>(longest <= kLongest && buckets % 2 == 0 && buckets <= kLongest && longest > buckets / 2 + 1,
                     "{}: position_buckets is {} and the longest distance {}; wanted an even number and a distance from {} to {}",
                     json.where(), buckets, longest, buckets / 2 + 2, kLongest);
  c.distances = {.buckets = static_cast<int>(buckets), .max_distance = static_cast<int>(longest)};
}

}  // namespace

double DebertaConfig::scale() const noexcept {
  const int terms = 1 + int{content_to_position} + int{position_to_content};
  return 1 / std::sqrt(static_cast<double>(head_dim() * terms));
}

DebertaConfig DebertaConfig::read(const JsonFile& json) {
  DebertaConfig c;
  // transformers' own defaults are those of the xlarge v2
  c.hidden_size = 1536;
  c.num_hidden_layers = c.num_attention_heads = 24;
  c.intermediate_size = 6144;
  read_encoder_sizes(json, {}, c);
  c.embedding_size = positive_field(json, "embedding_size", c.hidden_size);
  c.position_biased_input = json.get<bool>("position_biased_input", true);
  c.type_vocab_size = json.get<std::int64_t>("type_vocab_size", 0);
  c.pooler_activation = activation_named(json, json.get<std::string>("pooler_hidden_act", "gelu"));
  require<FileError>(c.type_vocab_size >= 0 && c.type_vocab_size <= c.vocab_size,
                     "{}: field 'type_vocab_size' is {}; wanted a number from 0 to {}", json.where(), c.type_vocab_size, c.vocab_size);
  const auto kernel = json.get<std::int64_t>("conv_kernel_size", 0);
  require<UnsupportedError>(kernel <= 0, "{}: conv_kernel_size is {}; wanted 0: convolutions are not supported", json.where(), kernel);
  const auto head = json.get<std::int64_t>("attention_head_size", c.head_dim());
  require<UnsupportedError>(head == c.head_dim(), "{}: attention_head_size is {}; wanted {}", json.where(), head, c.head_dim());
  const auto pooler = json.get<std::int64_t>("pooler_hidden_size", c.hidden_size);
  require<UnsupportedError>(pooler == c.hidden_size, "{}: pooler_hidden_size is {}; wanted {}", json.where(), pooler, c.hidden_size);
  read_distances(json, c);
  return c;
}

DebertaConfig DebertaConfig::published(const std::string& name) {
  DebertaConfig c;
  if (name == "deberta-v3-base") return c;
  require<ConfigError>(name == "deberta-v3-large", "model shape: '{}' was given; wanted deberta-v3-base or deberta-v3-large", name);
  c.hidden_size = c.embedding_size = 1024;
  c.num_hidden_layers = 24;
  c.num_attention_heads = 16;
  c.intermediate_size = 4096;
  return c;
}

}  // namespace preamble
