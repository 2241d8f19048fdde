// A stack of transformer layers: the decoders of all models, and the encoders of those that have a decoder.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/ops/attention.h"
#include "engine/ops/cached_attention.h"
#include "models/conditioning.h"
#include "models/key_value_cache.h"
#include "models/parameters.h"
#include "models/stack_shape.h"
#include "models/step_inputs.h"

namespace preamble {

/// How the queries of a layer find keys and values: what training, prefill and step differ in.
using Attend = std::function<Value(std::int64_t layer, Value q, Value k, Value v)>;

/// What cross-attention reads beside queries.
struct CrossAttention {
  std::function<KeyValue(std::int64_t layer)> rows;
  Value source = {};  ///< i32 [segments]: operand `kv_segment`
  Value slots = {};   ///< i32 [segments]: prefix slot of each
};

/// Layer, for each sublayer f of self-attention, cross-attention (if there is one) and feed-forward:
/// x -> x + f(norm(x)) or norm(x + f(x)), at the end a norm if it has a name. Declares parameters where they are used.
/// With rotary positions q and k are turned before anybody sees them: caches and prompts hold keys that are.
class LayerStack {
 public:
  /// `parameters` must outlive the stack.
  LayerStack(const StackShape& shape, StackNames names, Parameters& parameters);

  [[nodiscard]] const StackShape& shape() const noexcept { return shape_; }

  /// Output [rows, width] of x [rows, width]. `cross`: for a stack with cross-attention. `positions`: for rotary ones, the name of the input
  /// that has those of x.
  [[nodiscard]] Value run(Graph& graph, Value x, const Conditioning& conditioning, const Attend& attend, const CrossAttention& cross = {},
                          std::string_view positions = {});

  /// Self-attention of a layer: adds what the stack has beside queries, keys, values and prefixes.
  [[nodiscard]] Value attend(Graph& graph, std::int64_t layer, AttentionOperands operands, const Conditioning& conditioning);
  /// Attention of a whole batch to its own rows and to the prefixes of a site.
  [[nodiscard]] Attend attend_to_own(Graph& graph, const Conditioning& conditioning, Site site, Value slots);
  /// The same of one new row a sequence, whose key and value are in the cache already.
  [[nodiscard]] Value attend_to_cache(Graph& graph, std::int64_t layer, Value q, const KeyValue& cache, const StepInputs& inputs,
                                      const Conditioning& conditioning);

  /// Maps of a cross-attention for rows [rows, D] that are not the stack's own.
  [[nodiscard]] Value cross_key(Graph& graph, Value rows, std::int64_t layer);
  [[nodiscard]] Value cross_value(Graph& graph, Value rows, std::int64_t layer);

 private:
  using Function = std::function<Value(Value h)>;

  /// `transformer.h.3.attn.c_attn`
  [[nodiscard]] std::string name(std::int64_t layer, std::string_view part) const;
  [[nodiscard]] Value map(Graph& graph, Value x, const std::string& weights, std::int64_t to, bool bias);
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  /// What an rms norm multiplies by [width].
  [[nodiscard]] Value norm_scale(Graph& graph, const std::string& weights, std::int64_t width);
  /// x with what `f` makes of it added, and the norm of the sublayer.
  [[nodiscard]] Value sublayer(Graph& graph, Value x, const std::string& norm, double dropout, const Function& f);
  /// Queries, keys and values of x.
  [[nodiscard]] std::array<Value, 3> queries(Graph& graph, Value x, std::int64_t layer);
  /// q or k, normalised and turned as the stack does.
  [[nodiscard]] Value in_place(Graph& graph, Value heads, std::int64_t count, const std::string& norm, Value angles);
  /// Angles of rows whose positions an input has, for all layers; of the type dynamic with the input `counts_of(positions)`.
  [[nodiscard]] Value angles(Graph& graph, RowSpaceId rows, std::string_view positions);
  /// Maps of a self-attention around `attend`.
  [[nodiscard]] Value attended(Graph& graph, Value h, std::int64_t layer, const Attend& attend, Value angles);
  [[nodiscard]] Value fed_forward(Graph& graph, Value h, std::int64_t layer, double dropout);
  [[nodiscard]] Value parallel_layer(Graph& graph, Value x, std::int64_t layer, double dropout, const Attend& attend, Value angles);
  [[nodiscard]] Value self_attention(Graph& graph, Value x, std::int64_t layer, double dropout, const Attend& attend, Value angles);
  [[nodiscard]] Value cross_attention(Graph& graph, Value x, std::int64_t layer, const Conditioning& conditioning, const CrossAttention& cross);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, std::int64_t layer, double dropout);
  [[nodiscard]] AttentionOptions options(std::int64_t layer) const;
  [[nodiscard]] AttentionOptions self_options(std::int64_t layer, const Conditioning& conditioning) const;
  /// Relative positions of a layer [buckets, heads]; undefined if the stack has none.
  [[nodiscard]] Value bias_table(Graph& graph, std::int64_t layer);

  StackShape shape_;
  StackNames names_;
  Parameters& parameters_;
};

}  // namespace preamble
