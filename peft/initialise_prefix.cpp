#include "peft/initialise_prefix.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "models/causal_batch.h"
#include "models/seq2seq_batch.h"
#include "peft/token_activations.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<std::string_view, PrefixInitKind>, 4> kPrefixNames = {{{"random", PrefixInitKind::random},
                                                                                {"zero", PrefixInitKind::zero},
                                                                                {"text", PrefixInitKind::text},
                                                                                {"adapter", PrefixInitKind::adapter}}};

/// The marked results of a run. `first`: the decoder's rows in front of the text's.
std::map<Site, SiteActivations> collect(const Session& session, const std::map<Site, std::int64_t>& layers, std::int64_t first,
                                        std::int64_t tokens) {
  std::map<Site, SiteActivations> result;
  for (const auto& [site, count] : layers) {
    const auto rows = [&, at = site == Site::decoder_self ? first : 0](std::string_view what, std::int64_t layer) {
      const Tensor found = session.result_tensor(fmt::format("{}.{}.{}", name_of(site), what, layer)).rows(at, tokens);
      // trainables are float32 whatever activations are
      return found.dtype() == Dtype::bf16 ? found.to(Dtype::f32) : found;
    };
    for (std::int64_t layer = 0; layer < count; ++layer) {
      result[site].keys.push_back(rows("key", layer));
      result[site].values.push_back(rows("value", layer));
    }
  }
  return result;
}

std::map<Site, SiteActivations> activations_of(CausalLm& model, std::vector<std::int32_t> ids) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const CausalBatch batch{.sequences = {std::move(ids)}};
  Graph graph = model.parameters().graph();
  (void)model.decode(graph, {}, batch.capacity());
  const auto layers = mark_activations(graph, model);
  Session session(compile(std::move(graph)));
  feed_rows(session, batch, {}, model.limits());
  session.run();
  return collect(session, layers, 0, tokens);
}

std::map<Site, SiteActivations> activations_of(EncoderDecoder& model, const std::vector<std::int32_t>& ids) {
  Seq2SeqBatch batch;
  batch.sources = batch.decoder_inputs = {ids};
  batch.decoder_inputs[0].insert(batch.decoder_inputs[0].begin(), model.decoder_start_id());
  Graph graph = model.parameters().graph();
  const Value encoded = model.encode(graph, {}, batch.capacity());
  (void)model.decode(graph, encoded, {}, batch.capacity());
  const auto layers = mark_activations(graph, model);
  Session session(compile(std::move(graph)));
  feed(session, batch, {}, model.limits(), 1);
  session.run();
  return collect(session, layers, 1, static_cast<std::int64_t>(ids.size()));
}

/// The layer whose numbers a pair starts with.
std::vector<std::int64_t> layer_of_pair(std::int64_t pairs, const std::map<std::int64_t, std::int64_t>& pair_of_layer) {
  std::vector<std::int64_t> layers(static_cast<std::size_t>(pairs));
  for (std::int64_t pair = 0; pair < pairs; ++pair) layers[static_cast<std::size_t>(pair)] = pair;
  for (auto entry = pair_of_layer.rbegin(); entry != pair_of_layer.rend(); ++entry) {
    layers.at(static_cast<std::size_t>(entry->second)) = entry->first;
  }
  return layers;
}

/// Writes rows [N, width] into columns of a table, as many rows as both have.
void put(Tensor& table, std::int64_t column, const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width) {
  const std::int64_t columns = table.dim(1);
  float* to = table.values<float>().data() + column;
  for (std::int64_t r = 0; r < std::min(count, table.dim(0)); ++r) std::copy_n(rows + r * stride, width, to + r * columns);
}

}  // namespace

PrefixInitKind prefix_init_of(std::string_view name) {
  const auto found = std::ranges::find(kPrefixNames, name, &std::pair<std::string_view, PrefixInitKind>::first);
  require<ConfigError>(found != kPrefixNames.end(), "prefix initialiser: '{}' was given; wanted random, zero, text or adapter", name);
  return found->second;
}

std::map<Site, SiteActivations> word_activations(LanguageModel& model, const std::vector<std::int32_t>& text, std::int64_t tokens) {
  require<ConfigError>(!text.empty() && tokens > 0, "prefix initialiser: a text of {} tokens was given for {} rows; wanted one at least",
                       text.size(), tokens);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(text[static_cast<std::size_t>(i) % text.size()]);
  if (auto* causal = dynamic_cast<CausalLm*>(&model)) return activations_of(*causal, std::move(ids));
  if (auto* seq2seq = dynamic_cast<EncoderDecoder*>(&model)) return activations_of(*seq2seq, ids);
  raise<UnsupportedError>("prefix initialiser: words' activations of a model of another family; wanted an encoder-decoder or a decoder");
}

SitePrefixTable initial_prefix(const PrefixInit& init, LanguageModel& model, Site site, std::int64_t pairs,
                               const std::map<std::int64_t, std::int64_t>& pair_of_layer) {
  require<ConfigError>(init.tokens > 0 && pairs > 0, "prefix initialiser: {} rows of {} layers were asked for; wanted one at least",
                       init.tokens, pairs);
  const AttentionShape shape = model.attention_shape(site);
  const std::int64_t width = shape.kv_width();
  Tensor rows(Dtype::f32, {init.tokens, pairs * 2 * width});
  if (init.kind == PrefixInitKind::random || init.kind == PrefixInitKind::adapter) {
    constexpr std::uint64_t kStream = 0x70726566;
    Random random(init.seed, kStream + static_cast<std::uint64_t>(site));
    for (auto& x : rows.values<float>()) x = static_cast<float>(init.deviation) * random.normal();
  }
  const auto layers = layer_of_pair(pairs, pair_of_layer);
  if (init.kind == PrefixInitKind::text) {
    const SiteActivations words = word_activations(model, init.text, init.tokens).at(site);
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const auto layer = static_cast<std::size_t>(layers[static_cast<std::size_t>(pair)]);
      put(rows, 2 * pair * width, words.keys.at(layer).values<float>().data(), width, init.tokens, width);
      put(rows, (2 * pair + 1) * width, words.values.at(layer).values<float>().data(), width, init.tokens, width);
    }
  }
  if (init.kind == PrefixInitKind::adapter) {
    require<ConfigError>(init.adapter != nullptr, "prefix initialiser: adapter without a prefix for '{}'; wanted one", name_of(site));
    require<ShapeError>(init.adapter->heads == shape.kv_heads && init.adapter->head_dim == shape.head_dim,
                        "prefix initialiser: a prefix of {} heads of {} was given; wanted {} of {}", init.adapter->heads,
                        init.adapter->head_dim, shape.kv_heads, shape.head_dim);
    const Tensor given = init.adapter->packed().rows;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const auto found = init.adapter->pair_of_layer.find(layers[static_cast<std::size_t>(pair)]);
      if (found == init.adapter->pair_of_layer.end()) continue;
      put(rows, 2 * pair * width, std::as_const(given).values<float>().data() + 2 * found->second * width, given.dim(1), given.dim(0),
          2 * width);
    }
  }
  return {PackedRows{std::move(rows)}, shape.kv_heads, shape.head_dim, pair_of_layer};
}

}  // namespace preamble
