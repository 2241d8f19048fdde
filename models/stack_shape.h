// What stacks of transformer layers differ in: sizes, options, and the names of their parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/activation.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "engine/ops/relative_position.h"
#include "models/rotary_frequencies.h"

namespace preamble {

/// Where the norm of a sublayer f stands.
enum class NormOrder : std::uint8_t {
  before,  ///< x + f(norm(x))
  after    ///< norm(x + f(x))
};

/// How a checkpoint holds the maps that make queries, keys and values.
enum class QueryMaps : std::uint8_t {
  separate,  ///< three maps
  joined,    ///< one map, whose columns are those of q, then of k, then of v
  by_head    ///< one map, whose columns are those of q, k and v of the first head, of the second, ...
};

/// Relative positions with a table [buckets, heads] of biases in the first layer, or one in each.
struct BiasTables {
  RelativePositions relative;
  std::int64_t buckets = 32;
  bool in_each_layer = false;
};

/// Sizes and options of a stack.
struct StackShape {
  std::int64_t layers = 12;
  std::int64_t width = 768;
  std::int64_t heads = 12;
  std::int64_t kv_heads = 12;
  std::int64_t head_dim = 64;
  std::int64_t inner = 3072;  ///< width of the feed-forward part

  bool causal = true;
  bool cross = false;  ///< each layer has cross-attention, with as many heads of keys as of queries

  NormKind norm = NormKind::layer;
  double epsilon = 1e-5;
  NormOrder norm_order = NormOrder::before;
  bool norms_add_one = false;  ///< the scale of an rms norm is 1 + w
  bool head_norms = false;     ///< an rms norm of each head of q and of k, in front of the rotation
  bool parallel = false;       ///< x + attention(norm(x)) + feed-forward(norm'(x)): both read one x

  QueryMaps query_maps = QueryMaps::separate;
  bool values_first = false;  ///< made in front of the keys: the order in which gradients of x are summed, to the last bit
  WeightLayout weights = WeightLayout::out_in;
  bool query_bias = true;   ///< maps of queries, keys and values have a bias
  bool output_bias = true;  ///< so has the map behind an attention
  bool inner_bias = true;   ///< so have the maps of the feed-forward part

  ActivationKind activation = ActivationKind::gelu;
  bool gated = false;  ///< W₃ (f(W₁ x) ∘ W₂ x) instead of W₂ f(W₁ x)

  double score_scale = 1;
  bool score_scale_by_layer = false;  ///< divided by the number of the layer, from 1
  std::optional<BiasTables> bias_tables = {};
  std::optional<RotaryOptions> rotary = {};
  std::vector<int> windows = {};  ///< of each layer's self-attention (`AttentionOptions::window`); empty: none

  bool drops_inner = false;   ///< dropout in front of the last map of the feed-forward part
  bool drops_output = false;  ///< dropout behind the norm at the end

  [[nodiscard]] std::int64_t query_width() const noexcept { return heads * head_dim; }
  [[nodiscard]] std::int64_t kv_width() const noexcept { return kv_heads * head_dim; }
};

/// Names of an attention's parameters, behind the layer's own.
struct AttentionNames {
  std::string_view norm, query, key, value, output;
  std::string_view query_norm = {}, key_norm = {};
};

/// Names of a stack's parameters. Those of maps and norms lack `.weight` and `.bias`.
struct StackNames {
  std::string layers;            ///< in front of a layer's number: `transformer.h.`
  std::string_view scope;        ///< of a layer in the graph: `h`
  AttentionNames self;           ///< joined maps: `query` names them
  AttentionNames cross = {};
  std::string_view bias_table = {};
  std::string_view feed_forward_norm, inner, output;
  std::string_view gate = {};    ///< W₁ where the feed-forward part is gated, `inner` is W₂ then
  std::string last_norm = {};    ///< whole name; empty: the stack ends without a norm
};

}  // namespace preamble
