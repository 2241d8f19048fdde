#include "peft/made_up_training.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "models/causal_lm.h"
#include "peft/lora.h"
#include "peft/prefix_tuning.h"
#include "peft/prompt_tuning.h"

namespace preamble {
namespace {

constexpr std::int64_t kClasses = 2;
constexpr std::int64_t kChoices = 2;

bool is_encoder(const LanguageModel& model) { return dynamic_cast<const EncoderModel*>(&model) != nullptr; }
bool has_one_stack(const LanguageModel& model) { return dynamic_cast<const CausalLm*>(&model) != nullptr || is_encoder(model); }


Tensor random_rows(std::int64_t rows, std::int64_t columns, Random& random) {
  Tensor tensor(Dtype::f32, {rows, columns});
  for (auto& x : tensor.values<float>()) x = random.uniform(-0.5F, 0.5F);
  return tensor;
}

SitePrefixTable site_table(const MethodShape& shape, const LanguageModel& model, Site site, std::uint64_t seed) {
  const AttentionShape attention = model.attention_shape(site);
  const std::int64_t width = attention.kv_width();
  const std::int64_t columns = attention.layers * 2 * width;
  SitePrefixTable table;
  table.heads = attention.kv_heads;
  table.head_dim = attention.head_dim;
  table.pair_of_layer = pairs_of_layers(attention.layers, 1);
  if (shape.mlp > 0) {
    table.source = PromptEncoder::random({EncoderKind::projection, shape.virtual_tokens, width, shape.mlp, columns, 0}, seed);
  } else {
    Random random(seed, 1);
    table.source = PackedRows{random_rows(shape.virtual_tokens, columns, random)};
  }
  return table;
}

std::unique_ptr<Method> made_up_prefix(const MethodShape& shape, const LanguageModel& model, std::uint64_t seed) {
  const bool one_stack = has_one_stack(model);
  const auto sites = shape.sites.empty() ? std::vector<std::string>{std::string(name_of(model.prefix_site()))} : shape.sites;
  PrefixSlot slot;
  for (const auto& name : sites) {
    const Site site = site_of(name);
    require<ConfigError>(!one_stack || site == model.prefix_site(), "prefix site: '{}' was given; this model has {} alone", name,
                         name_of(model.prefix_site()));
    SitePrefixTable table = site_table(shape, model, site, seed + static_cast<std::uint64_t>(site));
    if (sites.size() > 1) table.names = name + ".";
    slot.insert_or_assign(site, std::move(table));
  }
  return std::make_unique<PrefixTuning>(std::vector{std::move(slot)}, PrefixPositions{.shifted = model.prefix_shifts_positions(), .relative = true});
}

}  // namespace

std::int64_t tokens_of(const BatchShape& shape, const LanguageModel& model) {
  if (shape.tokens > 0) return shape.tokens;
  return is_encoder(model) ? 128 : 512;
}

std::string describe(const BatchShape& shape, const LanguageModel& model) {
  if (is_encoder(model)) {
    const std::string choices = shape.head == HeadKind::choice ? fmt::format("{} choices of ", kChoices) : "";
    return fmt::format("batch {}, {}{} tokens, {}", shape.sequences, choices, tokens_of(shape, model), name_of(shape.head));
  }
  if (has_one_stack(model)) return fmt::format("batch {}, {} tokens", shape.sequences, tokens_of(shape, model));
  return fmt::format("batch {}, {} source tokens, {} target tokens", shape.sequences, shape.source, shape.target);
}

std::vector<Example> made_up_examples(const BatchShape& shape, const LanguageModel& model, std::uint64_t seed) {
  Random random(seed);
  const auto ids = [&](std::int64_t count, std::int64_t below) {
    std::vector<std::int32_t> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(below))));
    return result;
  };
  const std::int64_t vocabulary = model.vocabulary();
  std::vector<Example> examples(static_cast<std::size_t>(shape.sequences));
  for (auto& example : examples) {
    if (is_encoder(model)) {
      const bool choice = shape.head == HeadKind::choice;
      example.source = ids(tokens_of(shape, model) * (choice ? kChoices : 1), vocabulary);
      if (choice) example.choices.assign(kChoices, static_cast<std::int32_t>(tokens_of(shape, model)));
      example.label = ids(1, kClasses).front();
      example.begin = example.end = 0;
      example.tags = ids(std::ssize(example.source), kClasses);
      if (shape.head == HeadKind::masked_lm) std::fill(example.tags.begin() + 1, example.tags.end(), kNoTag);
    } else if (has_one_stack(model)) {
      example.target = ids(tokens_of(shape, model), vocabulary);
    } else {
      example.source = ids(shape.source, vocabulary);
      example.target = ids(shape.target, vocabulary);
    }
  }
  return examples;
}

std::unique_ptr<LossModel> made_up_loss(const BatchShape& shape, LanguageModel& model, const std::vector<Example>& examples) {
  auto* encoder = dynamic_cast<EncoderModel*>(&model);
  if (encoder == nullptr) return loss_model_for(model, examples, {}, 1);
  return loss_model_for(HeadedEncoder{*encoder, {Head::fresh(*encoder, shape.head, kClasses, 0, "base_model.")}}, examples, {}, 1);
}

LossBatch whole_batch(const LossModel& model, const std::vector<Example>& examples) {
  std::vector<const Example*> pointers;
  for (const auto& example : examples) pointers.push_back(&example);
  return model.batch_of(pointers);
}

std::unique_ptr<Method> made_up_method(const MethodShape& shape, LanguageModel& model, std::uint64_t seed) {
  if (shape.method == "full") return std::make_unique<NoMethod>();
  if (shape.method == "lora") return make_lora(std::make_unique<NoMethod>(), model, shape.lora, "", seed);
  if (shape.method == "prefix" || shape.method == "deep-prompt") return made_up_prefix(shape, model, seed);
  require<ConfigError>(shape.method == "prompt", "method: '{}' was given; wanted one of {}", shape.method, fmt::join(MethodShape::methods(), ", "));
  Random random(seed, 1);
  return std::make_unique<PromptTuning>(
      std::vector<PromptSlot>{{random_rows(shape.virtual_tokens, model.embedding_width(), random), shape.virtual_tokens}});
}

}  // namespace preamble
