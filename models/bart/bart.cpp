#include "models/bart/bart.h"

#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kLogitsBias = "final_logits_bias";

std::string prefix_of(const Parameters& parameters) { return backbone_prefix(parameters, "model.", "encoder.embed_positions.weight"); }

StackShape shape_of(const BartConfig& config, const BartStack& sizes) {
  StackShape stack;
  stack.layers = sizes.layers;
  stack.width = config.d_model;
  stack.heads = stack.kv_heads = sizes.heads;
  stack.head_dim = config.head_dim(sizes);
  stack.inner = sizes.ffn_dim;
  stack.epsilon = BartConfig::kLayerNormEpsilon;
  stack.norm_order = NormOrder::after;
  stack.activation = config.activation;
  stack.score_scale = 1 / std::sqrt(static_cast<double>(config.head_dim(sizes)));
  return stack;
}

Seq2SeqShape shape_of(const BartConfig& config) {
  Seq2SeqShape shape{shape_of(config, config.encoder), shape_of(config, config.decoder), config.vocab_size};
  shape.encoder.causal = false;
  shape.decoder.cross = shape.decoder.values_first = true;
  return shape;
}

StackNames names_of(const std::string& stack) {
  StackNames names;
  names.layers = stack + ".layers.";
  names.scope = "layers";
  names.self = {"self_attn_layer_norm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"};
  names.cross = {"encoder_attn_layer_norm", "encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj", "encoder_attn.out_proj"};
  names.feed_forward_norm = "final_layer_norm";
  names.inner = "fc1";
  names.output = "fc2";
  return names;
}

std::string embedding_of(const Parameters& parameters) {
  const std::string prefix = prefix_of(parameters);
  return first_present(parameters, {prefix + "shared.weight", prefix + "encoder.embed_tokens.weight", prefix + "decoder.embed_tokens.weight",
                                    std::string(kHead)});
}

}  // namespace

Bart::Bart(const BartConfig& config, Parameters parameters)
    : Seq2SeqStack(shape_of(config), names_of(prefix_of(parameters) + "encoder"), names_of(prefix_of(parameters) + "decoder"),
                   embedding_of(parameters), std::move(parameters)),
      config_(config),
      prefix_(prefix_of(Seq2SeqStack::parameters())),
      head_name_(embedding_name_) {}

std::unique_ptr<Bart> Bart::open(const std::filesystem::path& folder, Parameters::Options options) {
  const BartConfig config = BartConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  options.frozen = [given = options.frozen](std::string_view name) { return name == kLogitsBias || given(name); };
  auto model = std::make_unique<Bart>(config, Parameters(source, std::move(options)));
  if (has_own_head(*source, kHead, model->embedding_name_)) model->head_name_ = kHead;
  Parameters& parameters = model->parameters();
  parameters.tolerate(kHead);
  // transformers saves copies of the tied embedding under these names
  tolerate_copies(parameters, *source, model->embedding_name_,
                  {model->prefix_ + "encoder.embed_tokens.weight", model->prefix_ + "decoder.embed_tokens.weight"});
  Graph graph = parameters.graph();
  add_logits(*model, graph, {}, {}, false);
  parameters.warn_of_unknown();
  return model;
}

Value Bart::embed(Graph& graph, Value ids) {
  const Value x = gather_rows(table(graph, embedding_name_), ids, config_.pad_token_id);
  return config_.scale_embedding ? scale(x, std::sqrt(static_cast<double>(config_.d_model))) : x;
}

Value Bart::placed(Graph& graph, Value x, std::string_view stack, std::string_view positions) {
  const Dims dims = {config_.max_position_embeddings + BartConfig::kPositionOffset, config_.d_model};
  const std::string inside = prefix_ + std::string(stack);
  const Value rows = parameters()(graph, inside + ".embed_positions.weight", dims, ParameterKind::matrix);
  const Value sum = add(x, gather_rows(rows, row_input(graph, positions, x.type().rows)));
  return named_norm(parameters(), graph, sum, inside + ".layernorm_embedding", BartConfig::kLayerNormEpsilon);
}

Value Bart::logits_bias(Graph& graph) {
  if (const Value leaf = graph.leaf(kLogitsBias)) return leaf;
  if (!parameters().contains(kLogitsBias)) return {};
  const Tensor bias = parameters().tensor(kLogitsBias, {1, config_.vocab_size}, ParameterKind::vector);
  return graph.frozen(kLogitsBias, bias.reshaped({config_.vocab_size}));
}

Value Bart::head(Graph& graph, Value hidden) {
  const Value w = table(graph, head_name_);
  return linear(hidden, w, logits_bias(graph));
}

}  // namespace preamble
