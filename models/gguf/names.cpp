#include "models/gguf/names.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

namespace preamble {
namespace {

/// A part of a name between its layer's number and `.weight` or `.bias`.
struct Part {
  std::string_view gguf, checkpoint;
};

constexpr Part kGpt2[] = {{"token_embd", "wte"}, {"position_embd", "wpe"}, {"output_norm", "ln_f"}, {"output", "lm_head"}};
constexpr Part kGpt2Layer[] = {{"attn_norm", "ln_1"}, {"attn_qkv", "attn.c_attn"}, {"attn_output", "attn.c_proj"},
                               {"ffn_norm", "ln_2"},  {"ffn_up", "mlp.c_fc"},      {"ffn_down", "mlp.c_proj"}};

constexpr Part kBert[] = {{"token_embd", "embeddings.word_embeddings"},
                          {"position_embd", "embeddings.position_embeddings"},
                          {"token_types", "embeddings.token_type_embeddings"},
                          {"token_embd_norm", "embeddings.LayerNorm"}};
constexpr Part kBertLayer[] = {{"attn_q", "attention.self.query"},
                               {"attn_k", "attention.self.key"},
                               {"attn_v", "attention.self.value"},
                               {"attn_output", "attention.output.dense"},
                               {"attn_output_norm", "attention.output.LayerNorm"},
                               {"ffn_up", "intermediate.dense"},
                               {"ffn_down", "output.dense"},
                               {"layer_output_norm", "output.LayerNorm"}};

/// Llama and its variants; norms of heads are Qwen3's.
constexpr Part kLlama[] = {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr Part kLlamaLayer[] = {{"attn_norm", "input_layernorm"},
                                {"attn_q", "self_attn.q_proj"},
                                {"attn_k", "self_attn.k_proj"},
                                {"attn_v", "self_attn.v_proj"},
                                {"attn_output", "self_attn.o_proj"},
                                {"attn_q_norm", "self_attn.q_norm"},
                                {"attn_k_norm", "self_attn.k_norm"},
                                {"ffn_norm", "post_attention_layernorm"},
                                {"ffn_gate", "mlp.gate_proj"},
                                {"ffn_up", "mlp.up_proj"},
                                {"ffn_down", "mlp.down_proj"}};

constexpr Part kGptNeox[] = {{"token_embd", "gpt_neox.embed_in"}, {"output_norm", "gpt_neox.final_layer_norm"}, {"output", "embed_out"}};
constexpr Part kGptNeoxLayer[] = {{"attn_norm", "input_layernorm"},
                                  {"attn_qkv", "attention.query_key_value"},
                                  {"attn_output", "attention.dense"},
                                  {"ffn_norm", "post_attention_layernorm"},
                                  {"ffn_up", "mlp.dense_h_to_4h"},
                                  {"ffn_down", "mlp.dense_4h_to_h"}};

/// Models with one stack of layers.
struct Names {
  std::string_view architecture;
  std::span<const Part> alone, in_layer;
  std::string_view layers;  ///< in front of a layer's number in the checkpoint
};

constexpr std::array kNames = {Names{"gpt2", kGpt2, kGpt2Layer, "h."},
                               Names{"bert", kBert, kBertLayer, "encoder.layer."},
                               Names{"llama", kLlama, kLlamaLayer, "model.layers."},
                               Names{"qwen2", kLlama, kLlamaLayer, "model.layers."},
                               Names{"qwen3", kLlama, kLlamaLayer, "model.layers."},
                               Names{"gemma", kLlama, kLlamaLayer, "model.layers."},
                               Names{"gptneox", kGptNeox, kGptNeoxLayer, "gpt_neox.layers."}};

constexpr Part kT5[] = {{"token_embd", "shared"},
                        {"output", "lm_head"},
                        {"enc.output_norm", "encoder.final_layer_norm"},
                        {"dec.output_norm", "decoder.final_layer_norm"}};
constexpr Part kT5Layer[] = {
    {"attn_norm", "layer.0.layer_norm"},           {"attn_q", "layer.0.SelfAttention.q"},
    {"attn_k", "layer.0.SelfAttention.k"},         {"attn_v", "layer.0.SelfAttention.v"},
    {"attn_o", "layer.0.SelfAttention.o"},         {"attn_rel_b", "layer.0.SelfAttention.relative_attention_bias"},
    {"cross_attn_norm", "layer.1.layer_norm"},     {"cross_attn_q", "layer.1.EncDecAttention.q"},
    {"cross_attn_k", "layer.1.EncDecAttention.k"}, {"cross_attn_v", "layer.1.EncDecAttention.v"},
    {"cross_attn_o", "layer.1.EncDecAttention.o"}, {"cross_attn_rel_b", "layer.1.EncDecAttention.relative_attention_bias"}};

std::optional<std::string_view> found_in(std::span<const Part> parts, std::string_view name) {
  const auto found = std::ranges::find(parts, name, &Part::gguf);
  return found == parts.end() ? std::nullopt : std::optional(found->checkpoint);
}

/// `PREFIX3.attn_q`: the number and what stands behind it.
struct Layered {
  std::string_view number, part;
};

std::optional<Layered> layered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const std::size_t dot = name.find('.');
  const bool digits =
      dot != std::string_view::npos && dot > 0 && std::ranges::all_of(name.substr(0, dot), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::optional(Layered{name.substr(0, dot), name.substr(dot + 1)}) : std::nullopt;
}

std::optional<std::string> in_layer(std::string_view stem, std::string_view prefix, std::span<const Part> parts, std::string_view layers) {
  const auto layer = layered(stem, prefix);
  if (!layer) return std::nullopt;
  const auto part = found_in(parts, layer->part);
  return part ? std::optional(fmt::format("{}{}.{}", layers, layer->number, *part)) : std::nullopt;
}

/// The feed-forward part stands behind the cross-attention in a decoder.
std::optional<std::string> t5_feed_forward(std::string_view stem, bool decoder, bool gated) {
  const auto layer = layered(stem, decoder ? "dec.blk." : "enc.blk.");
  if (!layer) return std::nullopt;
  const std::string inside = fmt::format("{}.block.{}.layer.{}.", decoder ? "decoder" : "encoder", layer->number, decoder ? 2 : 1);
  if (layer->part == "ffn_norm") return inside + "layer_norm";
  if (layer->part == "ffn_gate") return inside + "DenseReluDense.wi_0";
  if (layer->part == "ffn_up") return inside + (gated ? "DenseReluDense.wi_1" : "DenseReluDense.wi");
  if (layer->part == "ffn_down") return inside + "DenseReluDense.wo";
  return std::nullopt;
}

std::optional<std::string> t5_stem(std::string_view stem, bool gated) {
  if (const auto found = found_in(kT5, stem)) return std::string(*found);
  for (const bool decoder : {false, true}) {
    if (auto found = t5_feed_forward(stem, decoder, gated)) return found;
    if (auto found = in_layer(stem, decoder ? "dec.blk." : "enc.blk.", kT5Layer, decoder ? "decoder.block." : "encoder.block."))
      return found;
  }
  return std::nullopt;
}

std::optional<std::string> checkpoint_stem(std::string_view architecture, std::string_view stem, bool gated) {
  if (architecture == "t5") return t5_stem(stem, gated);
  const auto* names = std::ranges::find(kNames, architecture, &Names::architecture);
  if (names == kNames.end()) return std::nullopt;
  if (const auto found = found_in(names->alone, stem)) return std::string(*found);
  return in_layer(stem, "blk.", names->in_layer, names->layers);
}

}  // namespace

std::vector<std::string_view> gguf_architectures() {
  std::vector<std::string_view> all = {"t5"};
  for (const auto& names : kNames) all.push_back(names.architecture);
  std::ranges::sort(all);
  return all;
}

std::optional<std::string> checkpoint_name(std::string_view architecture, std::string_view name, bool gated) {
  for (const std::string_view ending : {".weight", ".bias"}) {
    if (!name.ends_with(ending)) continue;
    const auto stem = checkpoint_stem(architecture, name.substr(0, name.size() - ending.size()), gated);
    return stem ? std::optional(*stem + std::string(ending)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace preamble
