#include "peft/make_method.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "data/labels.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "models/causal_lm.h"
#include "peft/adapter_file.h"
#include "peft/initialise_prefix.h"
#include "peft/lora_file.h"
#include "peft/native_prompt.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"

namespace preamble {
namespace {

bool decoder_only(const LanguageModel& model) { return dynamic_cast<const CausalLm*>(&model) != nullptr; }

Placement placement_of(const MethodRecipe& recipe) { return recipe.method_options.infix() ? Placement::infix : Placement::prefix; }

std::unique_ptr<Method> make_prompt(const MethodRecipe& recipe, const TextTask& task, LanguageModel& model, const Tokenizer& tokenizer) {
  PromptInit init = recipe.init;
  init.seed = recipe.seed;
  // rows of the embedding behind the vocabulary were never trained
  init.population = std::min(init.population, static_cast<std::int64_t>(tokenizer.size()));
  init.kind = prompt_init_of(prompt_init_name(recipe, task));
  if (task.classifies()) init.labels = LabelMap::parse(task.labels).words();
  if (init.kind == PromptInitKind::adapter) {
    require<ConfigError>(recipe.init_adapter.has_value(),
                         "prompt_tuning_init adapter: no init_adapter was given; wanted the folder of one");
    const auto& from = *recipe.init_adapter;
    init.rows = NativePrompt::is_in(from) ? NativePrompt::read(from, model.embedding_width()).slot.embeddings
                                          : read_prompt(from, PeftConfig::read(from, warn), model.embedding_width(), warn).embeddings;
  }
  Tensor prompt = initial_prompt(init, model.embedding(), tokenize_with(tokenizer));
  if (submodules_of(recipe, model) == 2) {
    // PEFT's layout for encoder-decoders has as many rows again, which nobody reads
    Tensor doubled(Dtype::f32, {2 * init.tokens, model.embedding_width()});
    std::ranges::copy(std::as_const(prompt).values<float>(), doubled.values<float>().begin());
    prompt = doubled;
  }
  return std::make_unique<PromptTuning>(std::vector{PromptSlot{prompt, init.tokens}}, placement_of(recipe));
}

std::unique_ptr<Method> make_p_tuning(const MethodRecipe& recipe, const LanguageModel& model) {
  const MethodOptions& options = recipe.method_options;
  EncoderShape shape;
  shape.kind = options.encoder_reparameterization_type == "LSTM" ? EncoderKind::lstm : EncoderKind::mlp;
  shape.rows = recipe.init.tokens * submodules_of(recipe, model);
  shape.width = shape.output = model.embedding_width();
  shape.hidden = options.encoder_hidden_size > 0 ? options.encoder_hidden_size : model.embedding_width();
  shape.layers = options.encoder_num_layers;
  shape.dropout = options.encoder_dropout;
  if (shape.dropout > 0 && shape.kind == EncoderKind::mlp)
    warn(fmt::format("encoder_dropout {}: it is a rate between the layers of an LSTM; the MLP ignores it, as PEFT's does", shape.dropout));
  return std::make_unique<PTuning>(std::vector{EncodedPrompt{PromptEncoder::random(shape, recipe.seed), recipe.init.tokens}},
                                   placement_of(recipe));
}

/// The prefix from which another one starts.
PrefixSlot prefix_of(const std::filesystem::path& folder, LanguageModel& model) {
  const auto method = open_adapters({folder}, model, warn);
  const auto* prefix = dynamic_cast<const PrefixTuning*>(method.get());
  require<ConfigError>(prefix != nullptr, "init_adapter {}: holds a prompt; wanted a prefix", folder.string());
  return prefix->slots().front();
}

class PrefixMaker {
 public:
  PrefixMaker(const MethodRecipe& recipe, LanguageModel& model, const Tokenizer& tokenizer)
      : recipe_(recipe), options_(recipe.method_options), model_(model) {
    init_.kind = prefix_init_of(options_.prefix_init);
    init_.tokens = recipe.init.tokens;
    init_.deviation = options_.prefix_init_std;
    init_.seed = recipe.seed;
    if (init_.kind == PrefixInitKind::text) init_.text = tokenize_with(tokenizer)(options_.prefix_init_text);
    if (init_.kind == PrefixInitKind::adapter) {
      require<ConfigError>(recipe.init_adapter.has_value(), "prefix_init adapter: no init_adapter was given; wanted the folder of one");
      other_ = prefix_of(*recipe.init_adapter, model);
    }
  }

  [[nodiscard]] std::unique_ptr<Method> make() {
    PrefixSlot slot;
    const Site own = model_.prefix_site();
    if (!options_.native()) {
      const std::int64_t layers = model_.attention_shape(own).layers;
      slot.emplace(own, table(own, layers, pairs_of_layers(layers, submodules_of(recipe_, model_)), {}));
      return std::make_unique<PrefixTuning>(std::vector{std::move(slot)}, PrefixPositions{.shifted = model_.prefix_shifts_positions(), .relative = true});
    }
    const auto& given = options_.prefix_sites;
    for (const auto& name : given.empty() ? std::vector{std::string(name_of(own))} : given) {
      const Site site = site_of(name);
      require<ConfigError>(site == own || !is_single_stack(model_), "prefix_sites {}: the model has no such attention; wanted {}", name,
                           name_of(own));
      std::map<std::int64_t, std::int64_t> pairs;
      const std::int64_t count = model_.attention_shape(site).layers;
      for (std::int64_t layer = 0; layer < count; ++layer) {
        if (conditioned(layer)) pairs.emplace(layer, static_cast<std::int64_t>(pairs.size()));
      }
      require<ConfigError>(!pairs.empty(), "prefix_layers {}: '{}' has none of them; wanted layers below {}",
                           fmt::join(options_.prefix_layers, ","), name, count);
      slot.emplace(site, table(site, static_cast<std::int64_t>(pairs.size()), pairs, name + "."));
    }
    return std::make_unique<PrefixTuning>(std::vector{std::move(slot)},
                                          PrefixPositions{.shifted = shifted(), .placement = placement_of(recipe_)});
  }

 private:
  [[nodiscard]] bool shifted() const {
    return options_.prefix_positions.empty() ? is_single_stack(model_) && model_.prefix_shifts_positions() : options_.prefix_positions == "shifted";
  }
  [[nodiscard]] bool conditioned(std::int64_t layer) const {
    return options_.prefix_layers.empty() || std::ranges::find(options_.prefix_layers, layer) != options_.prefix_layers.end();
  }

  [[nodiscard]] SitePrefixTable table(Site site, std::int64_t pairs, const std::map<std::int64_t, std::int64_t>& pair_of_layer,
                                      const std::string& names) {
    if (const auto found = other_.find(site); found != other_.end()) init_.adapter = &found->second;
    SitePrefixTable result = initial_prefix(init_, model_, site, pairs, pair_of_layer);
    init_.adapter = nullptr;
    result.names = names;
    if (options_.prefix_projection) {
      const std::int64_t width = result.heads * result.head_dim;
      const std::int64_t hidden = options_.encoder_hidden_size > 0 ? options_.encoder_hidden_size : width;
      PromptEncoder encoder = PromptEncoder::random({EncoderKind::projection, init_.tokens, width, hidden, pairs * 2 * width, 0},
                                                    recipe_.seed + static_cast<std::uint64_t>(site));
      if (init_.kind != PrefixInitKind::random) encoder.fit(result.packed().rows);
      result.source = std::move(encoder);
    } else if (options_.native()) {
      result.source = result.unpacked();
    }
    return result;
  }

  const MethodRecipe& recipe_;
  const MethodOptions& options_;
  LanguageModel& model_;
  PrefixInit init_;
  PrefixSlot other_;
};

}  // namespace

std::unique_ptr<Method> make_method(const MethodRecipe& recipe, const TextTask& task, LanguageModel& model, const Tokenizer& tokenizer) {
  require<ConfigError>(!recipe.method_options.infix() || decoder_only(model),
                       "placement infix: virtual tokens stand between source and target; wanted a decoder-only model");
  std::unique_ptr<Method> method;
  if (recipe.method == "prefix") {
    method = PrefixMaker(recipe, model, tokenizer).make();
  } else if (recipe.method == "ptuning") {
    method = make_p_tuning(recipe, model);
  } else if (recipe.method == "lora") {
    method = std::make_unique<NoMethod>();
  } else {
    method = make_prompt(recipe, task, model, tokenizer);
  }
  if (recipe.method != "lora" && !recipe.lora) return method;
  return make_lora(std::move(method), model, recipe.lora.value_or(LoraConfig{}), class_prefix(recipe.model), recipe.seed);
}

}  // namespace preamble
