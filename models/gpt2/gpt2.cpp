#include "models/gpt2/gpt2.h"

#include <array>
#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "models/building.h"
#include "models/named_layers.h"

namespace preamble {
namespace {

std::string prefix_of(const Parameters& parameters) { return backbone_prefix(parameters, "transformer.", "wpe.weight"); }

CausalShape shape_of(const Gpt2Config& config) {
  CausalShape shape;
  shape.vocabulary = config.vocab_size;
  shape.tied = config.tied;
  StackShape& stack = shape.stack;
  stack.layers = config.n_layer;
  stack.width = config.n_embd;
  stack.heads = stack.kv_heads = config.n_head;
  stack.head_dim = config.head_dim();
  stack.inner = config.n_inner;
  stack.epsilon = config.layer_norm_epsilon;
  stack.query_maps = QueryMaps::joined;
  stack.weights = config.map_layout;
  stack.activation = config.activation;
  stack.score_scale = config.scale_attn_weights ? 1 / std::sqrt(static_cast<double>(config.head_dim())) : 1.0;
  stack.score_scale_by_layer = config.scale_attn_by_inverse_layer_idx;
  return shape;
}

CausalNames names_of(const std::string& prefix) {
  CausalNames names;
  names.stack.layers = prefix + "h.";
  names.stack.scope = "h";
  names.stack.self = {.norm = "ln_1", .query = "attn.c_attn", .key = {}, .value = {}, .output = "attn.c_proj"};
  names.stack.feed_forward_norm = "ln_2";
  names.stack.inner = "mlp.c_fc";
  names.stack.output = "mlp.c_proj";
  names.stack.last_norm = prefix + "ln_f";
  names.embedding = prefix + "wte.weight";
  names.head = "lm_head.weight";
  names.token_head = "classifier";
  return names;
}

}  // namespace

Gpt2::Gpt2(const Gpt2Config& config, Parameters parameters)
    : CausalStack(shape_of(config), names_of(prefix_of(parameters)), std::move(parameters)),
      config_(config),
      position_table_(prefix_of(CausalStack::parameters()) + "wpe.weight") {}

std::unique_ptr<Gpt2> Gpt2::open(const std::filesystem::path& folder, Parameters::Options options) {
  const Gpt2Config config = Gpt2Config::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Gpt2>(config, Parameters(source, std::move(options)));
  // the causal mask, saved as a tensor by early versions
  constexpr std::array<std::string_view, 2> kMasks = {".attn.bias", ".attn.masked_bias"};
  model->load(*source, kMasks);
  return model;
}

Value Gpt2::placed(Graph& graph, Value x, std::string_view positions) {
  const Value table = parameters()(graph, position_table_, {config_.n_positions, config_.n_embd}, ParameterKind::matrix);
  return add(x, gather_rows(table, row_input(graph, positions, x.type().rows)));
}

}  // namespace preamble
