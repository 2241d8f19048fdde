// Which method an adapter folder holds.
#include <algorithm>
#include <utility>

#include "data/safetensors.h"
#include "engine/core/error.h"
#include "models/causal_lm.h"
#include "peft/adapter_file.h"
#include "peft/lora_file.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"
#include "peft/text_prompt.h"

namespace preamble {
namespace {

enum class Kind : std::uint8_t { text, prompt, encoded_prompt, infix, prefix, native_prefix };

/// One folder, described.
struct AdapterFolder {
  std::filesystem::path path;
  PeftConfig config;  ///< of PEFT's layout
  Kind kind = Kind::prompt;
};

AdapterFolder describe(const std::filesystem::path& path, bool trainable, const Warn& warn) {
  if (is_text_prompt(path)) return {path, {}, Kind::text};
  if (NativePrompt::is_in(path)) return {path, {}, Kind::infix};
  if (NativePrefix::is_in(path)) return {path, {}, Kind::native_prefix};
  AdapterFolder folder{path, PeftConfig::read(path, warn), Kind::prompt};
  if (folder.config.peft_type == PeftType::prefix_tuning) folder.kind = Kind::prefix;
  if (folder.config.peft_type == PeftType::p_tuning && trainable) folder.kind = Kind::encoded_prompt;
  return folder;
}

void require_decoder_only(const std::filesystem::path& folder, const LanguageModel& model) {
  require<UnsupportedError>(dynamic_cast<const CausalLm*>(&model) != nullptr,
                            "{}: an infix stands between source and target; wanted a decoder-only model", folder.string());
}

PromptSlot read_infix(const std::filesystem::path& folder, const LanguageModel& model, bool trainable, const Warn& warn) {
  require_decoder_only(folder, model);
  require<UnsupportedError>(!trainable, "{}: weights of a reparametrisation were given; an infix is read folded", folder.string());
  return NativePrompt::read(folder, model.embedding_width(), warn).slot;
}

EncodedPrompt read_encoded(const AdapterFolder& folder, std::int64_t width, const std::filesystem::path& trainable, const Warn& warn) {
  const PromptSlot folded = read_prompt(folder.path, folder.config, width, warn);
  const std::string& type = folder.config.encoder_reparameterization_type;
  require<FileError>(type == "MLP" || type == "LSTM", "{}: encoder_reparameterization_type is '{}'; wanted MLP or LSTM",
                     folder.path.string(), type);
  EncodedPrompt prompt{PromptEncoder::read(SafetensorsFile::open(trainable), type == "LSTM" ? EncoderKind::lstm : EncoderKind::mlp),
                       folded.tokens};
  prompt.encoder.set_dropout(folder.config.encoder_dropout);
  const EncoderShape& shape = prompt.encoder.shape();
  require<FileError>(shape.rows == folded.embeddings.dim(0) && shape.output == width,
                     "{}: a reparametrisation of {} rows of {}; wanted {} of {}", trainable.string(), shape.rows, shape.output,
                     folded.embeddings.dim(0), width);
  return prompt;
}

}  // namespace

SitePrefixTable read_prefix(const std::filesystem::path& folder, const PeftConfig& given, const LanguageModel& model,
                            const std::optional<std::filesystem::path>& trainable, const Warn& warn) {
  PromptSlot rows = read_embeddings(folder, given, warn);
  const PeftConfig config = resolved(given, model);
  const AttentionShape shape = model.attention_shape(model.prefix_site());
  require<FileError>(
      *config.num_layers == shape.layers && *config.num_attention_heads == shape.kv_heads && *config.token_dim == shape.kv_width(),
      "{}: a prefix for {} layers, {} heads, token_dim {}; the model has {}, {} and {}", folder.string(), *config.num_layers,
      *config.num_attention_heads, *config.token_dim, shape.layers, shape.kv_heads, shape.kv_width());
  const std::int64_t columns = shape.layers * 2 * shape.kv_width();
  require<FileError>(rows.embeddings.dim(1) == columns, "{}: prefix rows {} wide; the model wants {}", folder.string(),
                     rows.embeddings.dim(1), columns);
  SitePrefixTable table{PackedRows{rows.embeddings}, shape.kv_heads, shape.head_dim,
                        pairs_of_layers(shape.layers, *config.num_transformer_submodules)};
  if (!trainable) return table;
  PromptEncoder encoder = PromptEncoder::read(SafetensorsFile::open(*trainable), EncoderKind::projection);
  require<FileError>(encoder.shape().rows == rows.tokens && encoder.shape().output == columns,
                     "{}: a reparametrisation of {} rows of {}; wanted {} of {}", trainable->string(), encoder.shape().rows,
                     encoder.shape().output, rows.tokens, columns);
  table.source = std::move(encoder);
  return table;
}

namespace {

/// Adapters of prompts and prefixes.
std::unique_ptr<Method> open_prompts(const std::vector<std::filesystem::path>& paths, LanguageModel& model, const Warn& warn,
                                     const std::optional<std::filesystem::path>& trainable) {
  require<ConfigError>(!trainable || paths.size() == 1, "reparametrisation weights: {} adapters were given with them; wanted one",
                       paths.size());
  std::vector<AdapterFolder> folders;
  for (const auto& path : paths) folders.push_back(describe(path, trainable.has_value(), warn));
  require<ConfigError>(!folders.empty(), "adapters: none were given; wanted one at least");
  const AdapterFolder& first = folders.front();
  std::vector<PromptSlot> prompts;
  std::vector<EncodedPrompt> encoded;
  std::vector<PrefixSlot> prefixes;
  PrefixPositions positions;
  for (const auto& folder : folders) {
    require<ConfigError>(folder.kind == first.kind, "{} and {}: adapters of different kinds; wanted one kind", first.path.string(),
                         folder.path.string());
    require<ConfigError>(folder.kind != Kind::text || folders.size() == 1,
                         "{}: a text prompt, which stands in the input; wanted it alone, without other adapters", folder.path.string());
    switch (folder.kind) {
      case Kind::text: return std::make_unique<NoMethod>();
      case Kind::prompt: prompts.push_back(read_prompt(folder.path, folder.config, model.embedding_width(), warn)); break;
      case Kind::infix: prompts.push_back(read_infix(folder.path, model, trainable.has_value(), warn)); break;
      case Kind::encoded_prompt: encoded.push_back(read_encoded(folder, model.embedding_width(), *trainable, warn)); break;
      case Kind::prefix:
        positions = {.shifted = model.prefix_shifts_positions(), .relative = true};
        prefixes.push_back({{model.prefix_site(), read_prefix(folder.path, folder.config, model, trainable, warn)}});
        break;
      case Kind::native_prefix: {
        const auto shapes = [&](Site site) { return model.attention_shape(site); };
        NativePrefix prefix = NativePrefix::read(folder.path, shapes, trainable, warn);
        if (prefix.placement == Placement::infix) require_decoder_only(folder.path, model);
        const PrefixPositions own{.shifted = prefix.shifted, .placement = prefix.placement};
        require<ConfigError>(prefixes.empty() || positions == own,
                             "{} and {}: prefixes with shifted and unshifted positions, or infixes among them; wanted one kind",
                             first.path.string(), folder.path.string());
        positions = own;
        prefixes.push_back(std::move(prefix.slot));
        break;
      }
    }
  }
  if (!encoded.empty()) return std::make_unique<PTuning>(std::move(encoded));
  // heads alone
  if (!prefixes.empty() && std::ranges::all_of(prefixes, &PrefixSlot::empty)) return std::make_unique<NoMethod>();
  if (!prefixes.empty()) return std::make_unique<PrefixTuning>(std::move(prefixes), positions);
  return std::make_unique<PromptTuning>(std::move(prompts), first.kind == Kind::infix ? Placement::infix : Placement::prefix);
}

}  // namespace

std::unique_ptr<Method> open_adapters(const std::vector<std::filesystem::path>& paths, LanguageModel& model, const Warn& warn,
                                      const std::optional<std::filesystem::path>& trainable) {
  std::vector<std::filesystem::path> prompts;
  std::optional<std::filesystem::path> lora;
  for (const auto& path : paths) {
    const bool alone = is_lora(path);
    if (!alone) prompts.push_back(path);
    if (!alone && !is_lora(path / kLoraFolder)) continue;
    require<UnsupportedError>(!lora, "{} and {}: two LORA adapters; wanted one: its additions belong to the model", lora.value_or("").string(),
                              path.string());
    lora = alone ? path : path / kLoraFolder;
  }
  require<ConfigError>(!trainable || !prompts.empty(), "reparametrisation weights: a LORA adapter was given with them; wanted a prompt or prefix");
  if (!lora) return open_prompts(prompts, model, warn, trainable);
  auto beside = prompts.empty() ? std::make_unique<NoMethod>() : open_prompts(prompts, model, warn, trainable);
  return read_lora(*lora, model, std::move(beside), warn);
}

}  // namespace preamble
