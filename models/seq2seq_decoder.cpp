#include "models/seq2seq_decoder.h"

#include <algorithm>
#include <numeric>

#include "engine/runtime/compile.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

const std::vector<Site> kDecoderSites = {Site::decoder_self, Site::cross};

/// Encoder rows of all sources, prompts included.
std::int64_t encoder_rows(const Conditioning& conditioning, const DecoderCapacity& capacity) {
  return capacity.source_rows + (conditioning.prompt ? capacity.sequences * conditioning.prompt->space.longest() : 0);
}

}  // namespace

Seq2SeqDecoder::Seq2SeqDecoder(EncoderDecoder& model, const Conditioner& conditioner, const DecoderCapacity& capacity)
    : model_(model), capacity_(capacity) {
  {
    Graph graph = model_.parameters().graph();
    conditioning_ = conditioner(graph);
  }
  prefixes_ = PrefixCache(model, conditioning_, kDecoderSites);
  const std::int64_t encoded = encoder_rows(conditioning_, capacity);
  const std::int64_t places = capacity.generated_tokens();
  const AttentionShape self = model.attention_shape(Site::decoder_self);
  const AttentionShape cross = model.attention_shape(Site::cross);
  for (std::int64_t layer = 0; layer < self.layers; ++layer) {
    const auto memory = [&](std::int64_t rows, std::int64_t width) { return Tensor(model.activations(), {rows, width}); };
    caches_.push_back({memory(places, self.kv_width()), memory(places, self.kv_width()), memory(encoded, cross.kv_width()),
                       memory(encoded, cross.kv_width())});
  }
  encoder_ = std::make_unique<Session>(compile_prefill(conditioner));
}

ScoreRequest Seq2SeqDecoder::prepare(const ScoreRequest& wanted) {
  if (outputs_.serve(wanted)) return outputs_.request();
  outputs_ = ScoreOutputs(wanted);
  step_.reset();
  return wanted;
}

std::shared_ptr<const Program> Seq2SeqDecoder::compile_prefill(const Conditioner& conditioner) {
  Graph graph = model_.parameters().graph();
  const Conditioning conditioning = conditioner(graph);
  model_.prefill(graph, conditioning, {capacity_.sequences, capacity_.source_rows, 1, 0}, caches_);
  prefixes_.write(graph, conditioning);
  return compile(std::move(graph));
}

std::shared_ptr<const Program> Seq2SeqDecoder::compile_step() {
  Graph graph = model_.parameters().graph();
  const Conditioning conditioning = prefixes_.read(graph);
  Seq2SeqCapacity capacity;
  capacity.sequences = capacity_.sequences;
  capacity.source_rows = capacity_.source_rows;
  capacity.target_rows = capacity_.sequences * capacity_.beams;
  model_.step(graph, conditioning, capacity, capacity_.longest, caches_);
  outputs_.add(graph, graph.output(seq2seq::kLogits));
  return compile(std::move(graph));
}

void Seq2SeqDecoder::encode(const Seq2SeqBatch& batch) {
  feed_sources(*encoder_, batch, conditioning_, model_.limits());
  encoded_ = encoder_segments(batch, conditioning_);
  std::vector<std::int32_t> places(static_cast<std::size_t>(encoded_.rows()));
  std::iota(places.begin(), places.end(), 0);
  feed_input(*encoder_, step_inputs::kEncoderRows, places);
  prefixes_.feed(*encoder_);
  encoder_->run();
  slots_ = batch.slots;
  slots_.resize(batch.sources.size(), 0);
}

void Seq2SeqDecoder::begin_steps() {
  if (!step_) step_ = std::make_unique<Session>(compile_step());
  step_->rows(seq2seq::kEncoder, encoded_);
  for (const auto& [site, prefix] : conditioning_.prefixes) step_->rows(prefix.space.name, prefix.space.slots);
}

ScoreRows Seq2SeqDecoder::prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) {
  next_place_ = 0;
  histories_.assign(prompts.size(), {});
  prefilled_.resize(prompts.size());
  std::size_t longest = 0;
  for (const auto& prompt : prompts) {
    require<ConfigError>(!prompt.empty(), "generation: an empty decoder prompt was given; wanted the start token at least");
    longest = std::max(longest, prompt.size());
  }
  begin_steps();
  // token by token, with as many rows as have one; finished prompts keep their histories and scores
  std::vector<History> done(prompts.size());
  std::vector<std::int32_t> row_of(prompts.size());
  std::iota(row_of.begin(), row_of.end(), 0);
  for (std::size_t t = 0; t < longest; ++t) {
    std::vector<StepRow> rows;
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (t >= prompts[i].size()) continue;
      rows.push_back({row_of[i], prompts[i][t], static_cast<std::int32_t>(i)});
      who.push_back(i);
    }
    const QueryRows asked(queries, outputs_.request(), who);
    const ScoreRows scores = step(rows, asked.queries());
    for (std::size_t r = 0; r < who.size(); ++r) {
      row_of[who[r]] = static_cast<std::int32_t>(r);
      if (t + 1 < prompts[who[r]].size()) continue;
      done[who[r]] = histories_[r];
      prefilled_.set(who[r], scores, r, who.size());
    }
  }
  histories_ = std::move(done);
  return prefilled_.rows();
}

void Seq2SeqDecoder::feed_step(std::span<const StepRow> rows) {
  std::vector<History> histories;
  std::vector<std::int32_t> tokens, positions, lengths, places, row_slots, sources, source_slots;
  Segments segments;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const StepRow& row = rows[r];
    History history = histories_.at(static_cast<std::size_t>(row.parent));
    history.push_back(next_place_++);
    require<ShapeError>(static_cast<std::int64_t>(history.size()) <= capacity_.longest, "generation: a sequence of {} tokens; the cache holds {}",
                        history.size(), capacity_.longest);
    tokens.push_back(row.token);
    lengths.push_back(static_cast<std::int32_t>(history.size()));
    places.push_back(history.back());
    row_slots.push_back(slots_.at(static_cast<std::size_t>(row.sequence)));
    if (const PositionTable table = model_.positions(); table.positions > 0) {
      const std::int64_t position = conditioning_.first_position(Site::decoder_self, row_slots.back()) + lengths.back() - 1;
      positions.push_back(position_row(position, table, static_cast<std::size_t>(row.sequence)));
    }
    histories.push_back(std::move(history));
    if (sources.empty() || sources.back() != row.sequence) {
      sources.push_back(row.sequence);
      source_slots.push_back(row_slots.back());
    }
    if (r + 1 == rows.size() || rows[r + 1].sequence != row.sequence) {
      segments.append(static_cast<std::int32_t>(r + 1) - segments.rows());
    }
  }
  step_->rows(seq2seq::kDecoder, segments);
  feed_input(*step_, seq2seq::kDecoderIds, tokens);
  if (!positions.empty()) feed_input(*step_, seq2seq::kDecoderPositions, positions);
  feed_input(*step_, step_inputs::kLengths, lengths);
  feed_input(*step_, step_inputs::kPlace, places);
  feed_input(*step_, step_inputs::kRowSlots, row_slots);
  feed_front(*step_, seq2seq::kTargetSource, sources);
  feed_front(*step_, seq2seq::kDecoderSlots, source_slots);
  const auto table = step_->input<std::int32_t>(step_inputs::kTable);
  for (std::size_t r = 0; r < histories.size(); ++r) {
    std::ranges::copy(histories[r], table.begin() + static_cast<std::ptrdiff_t>(r) * capacity_.longest);
  }
  histories_ = std::move(histories);
}

ScoreRows Seq2SeqDecoder::step(std::span<const StepRow> rows, const ScoreQueries& queries) {
  feed_step(rows);
  outputs_.feed(*step_, queries, rows.size());
  step_->run();
  return outputs_.read(*step_);
}

std::int64_t Seq2SeqDecoder::cache_bytes() const noexcept {
  std::int64_t bytes = prefixes_.bytes();
  for (const auto& cache : caches_) {
    for (const auto* tensor : {&cache.self_key, &cache.self_value, &cache.cross_key, &cache.cross_value}) {
      bytes += static_cast<std::int64_t>(tensor->bytes());
    }
  }
  return bytes;
}

CacheNeed cache_need(const EncoderDecoder& model, const Conditioning& conditioning, const DecoderCapacity& capacity) {
  const auto row = [&](Site site) {
    const AttentionShape shape = model.attention_shape(site);
    return shape.layers * 2 * shape.kv_width() * static_cast<std::int64_t>(size_of(model.activations()));
  };
  return {PrefixCache::bytes_for(model, conditioning, kDecoderSites), encoder_rows(conditioning, capacity) * row(Site::cross),
          capacity.generated_tokens() * row(Site::decoder_self)};
}

}  // namespace preamble
