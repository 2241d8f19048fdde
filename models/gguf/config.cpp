#include "models/gguf/config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "models/gguf/facts.h"
#include "models/gguf/source.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFrequencies = "rope_freqs.weight";

Json gpt2_config(const GgufFacts& facts) {
  return {{"model_type", "gpt2"},
          {"architectures", {"GPT2LMHeadModel"}},
          {"vocab_size", facts.rows("token_embd.weight")},
          {"n_positions", facts.whole("context_length")},
          {"n_embd", facts.whole("embedding_length")},
          {"n_layer", facts.whole("block_count")},
          {"n_head", facts.whole("attention.head_count")},
          {"n_inner", facts.whole("feed_forward_length")},
          {"layer_norm_epsilon", facts.real("attention.layer_norm_epsilon")},
          {"activation_function", "gelu_new"},
          // llama.cpp turns the maps of GPT-2 to [out, in]
          {"map_layout", "out_in"}};
}

Json bert_config(const GgufFacts& facts) {
  return {{"model_type", "bert"},
          {"architectures", {"BertModel"}},
          {"vocab_size", facts.rows("token_embd.weight")},
          {"hidden_size", facts.whole("embedding_length")},
          {"num_hidden_layers", facts.whole("block_count")},
          {"num_attention_heads", facts.whole("attention.head_count")},
          {"intermediate_size", facts.whole("feed_forward_length")},
          {"max_position_embeddings", facts.rows("position_embd.weight")},
          {"type_vocab_size", facts.rows("token_types.weight")},
          {"hidden_act", "gelu"},
          {"layer_norm_eps", facts.real("attention.layer_norm_epsilon")}};
}

Json t5_config(const GgufFacts& facts) {
  const bool rms = facts.has("attention.layer_norm_rms_epsilon");
  const std::int64_t layers = facts.whole("block_count");
  return {{"model_type", "t5"},
          {"architectures", {"T5ForConditionalGeneration"}},
          {"vocab_size", facts.rows("token_embd.weight")},
          {"d_model", facts.whole("embedding_length")},
          {"d_kv", facts.whole("attention.key_length")},
          {"d_ff", facts.whole("feed_forward_length")},
          {"num_layers", layers},
          {"num_decoder_layers", facts.whole("decoder_block_count", layers)},
          {"num_heads", facts.whole("attention.head_count")},
          {"relative_attention_num_buckets", facts.whole("attention.relative_buckets_count")},
          {"layer_norm_epsilon", facts.real(rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon")},
          {"feed_forward_proj", is_gated(facts.file()) ? "gated-gelu" : "relu"},
          {"tie_word_embeddings", !facts.has_tensor("output.weight")},
          {"decoder_start_token_id", facts.real("decoder_start_token_id", 0) > 0 ? facts.whole("decoder_start_token_id") : 0},
          {"pad_token_id", 0},
          {"eos_token_id", 1}};
}

/// The numbers by which frequencies are divided.
std::vector<double> frequency_factors(const GgufFile& file) {
  const Tensor factors = file.get(kFrequencies).to(Dtype::f32);
  std::vector<double> all;
  for (const float factor : std::as_const(factors).values<float>()) {
    require<FileError>(factor > 0, "{}: '{}' has the factor {}; wanted positive numbers", file.path().string(), kFrequencies, factor);
    all.push_back(static_cast<double>(factor));
  }
  return all;
}

/// `rope_scaling`; nothing where positions are not scaled.
std::optional<Json> rotary_scaling(const GgufFacts& facts, std::int64_t positions) {
  if (facts.has_tensor(kFrequencies)) {
    const auto factors = frequency_factors(facts.file());
    return Json{{"rope_type", "longrope"},     {"short_factor", factors}, {"long_factor", factors}, {"original_max_position_embeddings", positions},
                {"attention_factor", 1.0}};
  }
  const auto type = facts.text("rope.scaling.type", facts.has("rope.scale_linear") ? "linear" : "none");
  if (type == "none") return std::nullopt;
  require<UnsupportedError>(type == "linear" || type == "yarn", "{}: '{}.rope.scaling.type' is '{}'; wanted none, linear or yarn",
                            facts.file().path().string(), facts.architecture(), type);
  const double factor = facts.has("rope.scaling.factor") ? facts.real("rope.scaling.factor") : facts.real("rope.scale_linear", 1);
  Json scaling = {{"rope_type", type}, {"factor", factor}};
  if (type == "linear") return scaling;
  scaling["original_max_position_embeddings"] = facts.whole("rope.scaling.original_context_length");
  for (const auto& [key, field] : {std::pair{"rope.scaling.yarn_beta_fast", "beta_fast"}, {"rope.scaling.yarn_beta_slow", "beta_slow"}}) {
    if (facts.has(key)) scaling[field] = facts.real(key);
  }
  return scaling;
}

/// Columns of a head that are turned, as a part of all.
double turned_part(const GgufFacts& facts, std::int64_t head_dim) {
  return static_cast<double>(facts.whole("rope.dimension_count", head_dim)) / static_cast<double>(head_dim);
}

void add_rotary(const GgufFacts& facts, std::int64_t head_dim, Json& config) {
  const std::int64_t positions = facts.whole("context_length");
  config["max_position_embeddings"] = positions;
  config["rope_theta"] = facts.real("rope.freq_base", 10000);
  if (const double part = turned_part(facts, head_dim); part != 1) config["partial_rotary_factor"] = part;
  if (const auto scaling = rotary_scaling(facts, positions)) config["rope_scaling"] = *scaling;
}

struct LlamaKind {
  std::string_view architecture, model_type, of_class;
};

Json llama_config(const GgufFacts& facts) {
  constexpr LlamaKind kKinds[] = {{"llama", "llama", "LlamaForCausalLM"},
                                  {"qwen2", "qwen2", "Qwen2ForCausalLM"},
                                  {"qwen3", "qwen3", "Qwen3ForCausalLM"},
                                  {"gemma", "gemma", "GemmaForCausalLM"}};
  constexpr LlamaKind kMistral = {"llama", "mistral", "MistralForCausalLM"};
  const auto& file = facts.file();
  require<UnsupportedError>(!facts.has("expert_count") || facts.real("expert_count") == 0,
                            "{}: has experts ('{}.expert_count'); wanted a model with one feed-forward part a layer", file.path().string(),
                            facts.architecture());
  const bool windows = facts.has("attention.sliding_window") && facts.architecture() == "llama";
  const LlamaKind& kind = windows ? kMistral : *std::ranges::find(kKinds, facts.architecture(), &LlamaKind::architecture);
  const std::int64_t heads = facts.whole("attention.head_count");
  const std::int64_t query_rows = facts.rows("blk.0.attn_q.weight");
  require<FileError>(query_rows % heads == 0, "{}: {} rows of queries and {} heads; wanted a multiple", file.path().string(), query_rows, heads);
  const bool gemma = kind.model_type == "gemma";
  Json config = {{"model_type", kind.model_type},
                 {"architectures", {kind.of_class}},
                 {"vocab_size", facts.rows("token_embd.weight")},
                 {"hidden_size", facts.whole("embedding_length")},
                 {"intermediate_size", facts.whole("feed_forward_length")},
                 {"num_hidden_layers", facts.whole("block_count")},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", facts.whole("attention.head_count_kv", heads)},
                 {"head_dim", query_rows / heads},
                 {"rms_norm_eps", facts.real("attention.layer_norm_rms_epsilon")},
                 {gemma ? "hidden_activation" : "hidden_act", gemma ? "gelu_pytorch_tanh" : "silu"},
                 {"tie_word_embeddings", !facts.has_tensor("output.weight")},
                 // that of the tokenizer is no row without a gradient
                 {"pad_token_id", nullptr}};
  if (kind.model_type == "llama" || kind.model_type == "qwen3") config["attention_bias"] = facts.has_tensor("blk.0.attn_q.bias");
  if (kind.model_type == "llama") config["mlp_bias"] = facts.has_tensor("blk.0.ffn_up.bias");
  if (windows) config["sliding_window"] = facts.whole("attention.sliding_window");
  add_rotary(facts, query_rows / heads, config);
  return config;
}

Json gpt_neox_config(const GgufFacts& facts) {
  const std::int64_t width = facts.whole("embedding_length"), heads = facts.whole("attention.head_count");
  require<FileError>(width % heads == 0, "{}: width {} and {} heads; wanted a multiple", facts.file().path().string(), width, heads);
  Json config = {{"model_type", "gpt_neox"},
                 {"architectures", {"GPTNeoXForCausalLM"}},
                 {"vocab_size", facts.rows("token_embd.weight")},
                 {"hidden_size", width},
                 {"intermediate_size", facts.whole("feed_forward_length")},
                 {"num_hidden_layers", facts.whole("block_count")},
                 {"num_attention_heads", heads},
                 {"layer_norm_eps", facts.real("attention.layer_norm_epsilon")},
                 {"hidden_act", "gelu"},
                 {"use_parallel_residual", facts.boolean("use_parallel_residual", true)},
                 {"attention_bias", facts.has_tensor("blk.0.attn_qkv.bias")},
                 {"tie_word_embeddings", !facts.has_tensor("output.weight")}};
  add_rotary(facts, width / heads, config);
  config["rotary_pct"] = turned_part(facts, width / heads);
  return config;
}

/// The tokens that end and begin texts, where config.json of the architecture names them.
void add_ends(const GgufFile& file, Json& config) {
  for (const auto& [key, field] : {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"}, {"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
    const auto found = file.facts().find(key);
    if (found != file.facts().end() && found->is_number_unsigned()) config[field] = found->get<std::int64_t>();
  }
}

}  // namespace

Json gguf_config(const GgufFile& file) {
  const GgufFacts facts(file, gguf_architecture(file));
  const std::string& architecture = facts.architecture();
  if (architecture == "bert") return bert_config(facts);
  if (architecture == "t5") return t5_config(facts);
  Json config = architecture == "gpt2" ? gpt2_config(facts) : architecture == "gptneox" ? gpt_neox_config(facts) : llama_config(facts);
  add_ends(file, config);
  return config;
}

}  // namespace preamble
