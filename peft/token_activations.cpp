#include "peft/token_activations.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "models/causal_batch.h"
#include "models/encoder_batch.h"
#include "models/seq2seq_batch.h"

namespace preamble {
namespace {

constexpr std::int64_t kBlock = 256;

/// Where an attention of a plain model's graph stands. With an encoder, a decoder's queries have the decoder's rows.
Site site_at(const Graph& graph, const Node& attention, const LanguageModel& model) {
  if (graph.rows(seq2seq::kSource) == kNoRows) return model.prefix_site();
  const auto rows = [&](std::size_t operand) { return graph.rows(attention.inputs[operand].type().rows).name; };
  if (rows(Attention::kQuery) != seq2seq::kDecoder) return Site::encoder_self;
  return rows(Attention::kKey) == seq2seq::kDecoder ? Site::decoder_self : Site::cross;
}

/// A program that computes the activations of single tokens, a block at a time.
class Words {
 public:
  explicit Words(LanguageModel& model, std::int64_t capacity) : model_(model), session_(program(capacity)) {}

  void run(std::span<const std::int32_t> tokens) {
    count_ = std::ssize(tokens);
    std::vector<std::vector<std::int32_t>> texts;
    for (const auto token : tokens) texts.push_back({token});
    if (dynamic_cast<CausalLm*>(&model_) != nullptr) {
      feed_rows(session_, CausalBatch{.sequences = std::move(texts)}, {}, model_.limits());
    } else if (auto* encoder = dynamic_cast<EncoderModel*>(&model_)) {
      feed_rows(session_, EncoderBatch{.sequences = std::move(texts)}, {}, encoder->encoder_limits());
    } else {
      feed(session_, seq2seq(texts), {}, model_.limits(), 1);
    }
    session_.run();
  }

  /// [tokens, H·d]
  [[nodiscard]] Tensor rows(Site site, std::string_view what, std::int64_t layer) const {
    const Tensor all = session_.result_tensor(fmt::format("{}.{}.{}", name_of(site), what, layer)).to(Dtype::f32);
    // a decoder's text stands behind the start token
    const std::int64_t stride = two_stacks() && site == Site::decoder_self ? 2 : 1;
    Tensor own(Dtype::f32, {count_, all.dim(1)});
    const auto width = static_cast<std::size_t>(all.dim(1));
    for (std::int64_t i = 0; i < count_; ++i) {
      const auto from = all.values<float>().subspan(static_cast<std::size_t>(i * stride + stride - 1) * width, width);
      std::ranges::copy(from, own.values<float>().begin() + i * all.dim(1));
    }
    return own;
  }

 private:
  [[nodiscard]] bool two_stacks() const { return dynamic_cast<const EncoderDecoder*>(&model_) != nullptr; }

  [[nodiscard]] Seq2SeqBatch seq2seq(const std::vector<std::vector<std::int32_t>>& texts) const {
    const std::int32_t start = dynamic_cast<const EncoderDecoder&>(model_).decoder_start_id();
    Seq2SeqBatch batch;
    batch.sources = texts;
    for (const auto& text : texts) batch.decoder_inputs.push_back({start, text.front()});
    return batch;
  }

  [[nodiscard]] std::shared_ptr<const Program> program(std::int64_t capacity) {
    Graph graph = model_.parameters().graph();
    if (auto* causal = dynamic_cast<CausalLm*>(&model_)) {
      (void)causal->decode(graph, {}, {capacity, capacity});
    } else if (auto* encoder = dynamic_cast<EncoderModel*>(&model_)) {
      (void)encoder->encode(graph, {}, {capacity, capacity});
    } else {
      auto& both = dynamic_cast<EncoderDecoder&>(model_);
      const Seq2SeqCapacity rows{capacity, capacity, 2 * capacity};
      (void)both.decode(graph, both.encode(graph, {}, rows), {}, rows);
    }
    (void)mark_activations(graph, model_);
    return compile(std::move(graph));
  }

  LanguageModel& model_;
  Session session_;
  std::int64_t count_ = 0;
};

/// Columns of a packed table as a matrix [P, width].
Tensor columns_of(const Tensor& packed, std::int64_t first, std::int64_t width) {
  Tensor part(Dtype::f32, {packed.dim(0), width});
  for (std::int64_t r = 0; r < packed.dim(0); ++r) {
    std::ranges::copy(packed.values<float>().subspan(static_cast<std::size_t>(r * packed.dim(1) + first), static_cast<std::size_t>(width)),
                      part.values<float>().begin() + r * width);
  }
  return part;
}

/// Takes the best of a block's neighbours, whose ids count from the block's first token, into those of all blocks.
void merge(std::vector<std::vector<Neighbour>>& all, const std::vector<std::vector<Neighbour>>& block, std::span<const std::int32_t> tokens,
           std::size_t count) {
  all.resize(block.size());
  for (std::size_t r = 0; r < block.size(); ++r) {
    for (const auto& [id, cosine] : block[r]) all[r].push_back({tokens[static_cast<std::size_t>(id)], cosine});
    std::ranges::stable_sort(all[r], std::greater<>(), &Neighbour::cosine);
    all[r].resize(std::min(all[r].size(), count));
  }
}

}  // namespace

std::map<Site, std::int64_t> mark_activations(Graph& graph, const LanguageModel& model) {
  std::map<Site, std::int64_t> layers;
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (dynamic_cast<const Attention*>(node.op.get()) == nullptr) continue;
    const Site site = site_at(graph, node, model);
    const std::int64_t layer = layers[site]++;
    graph.output(fmt::format("{}.key.{}", name_of(site), layer), node.inputs[Attention::kKey]);
    graph.output(fmt::format("{}.value.{}", name_of(site), layer), node.inputs[Attention::kValue]);
  }
  return layers;
}

std::vector<ResembledWords> resembled_words(LanguageModel& model, const PrefixSlot& prefix, std::span<const std::int32_t> tokens,
                                            std::int64_t count) {
  require<ConfigError>(!tokens.empty() && count > 0, "resembled words: {} of {} tokens were asked for; wanted one at least", count, tokens.size());
  struct Attended {
    Tensor keys, values;  ///< the prefix's own [P, H·d]
    ResembledWords found;
  };
  std::vector<Attended> all;
  for (const auto& [site, table] : prefix) {
    const Tensor packed = table.packed().rows;
    const std::int64_t width = table.heads * table.head_dim;
    for (const auto& [layer, pair] : table.pair_of_layer)
      all.push_back(
          {columns_of(packed, 2 * pair * width, width), columns_of(packed, (2 * pair + 1) * width, width), {site, layer, {}, {}}});
  }
  const std::int64_t block = std::min(kBlock, std::ssize(tokens));
  Words words(model, block);
  for (std::int64_t first = 0; first < std::ssize(tokens); first += block) {
    const auto part = tokens.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(std::min(block, std::ssize(tokens) - first)));
    words.run(part);
    for (auto& [keys, values, found] : all) {
      merge(found.keys, nearest_tokens(keys, words.rows(found.site, "key", found.layer), count), part, static_cast<std::size_t>(count));
      merge(found.values, nearest_tokens(values, words.rows(found.site, "value", found.layer), count), part, static_cast<std::size_t>(count));
    }
  }
  std::vector<ResembledWords> result;
  for (auto& one : all) result.push_back(std::move(one.found));
  return result;
}

}  // namespace preamble
