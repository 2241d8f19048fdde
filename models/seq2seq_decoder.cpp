#include "models/seq2seq_decoder.h"

#include <algorithm>
#include <numeric>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/key_value_cache.h"
#include "models/step_inputs.h"

namespace preamble {
namespace {

const std::vector<Site> kDecoderSites = {Site::decoder_self, Site::cross};

/// Encoder rows of all sources, prompts included.
std::int64_t encoder_rows(const Conditioning& conditioning, const DecoderCapacity& capacity) {
  return capacity.source_rows + (conditioning.prompt ? capacity.sequences * conditioning.prompt->space.longest() : 0);
}

}  // namespace

Seq2SeqDecoder::Seq2SeqDecoder(EncoderDecoder& model, const Conditioner& conditioner, const DecoderCapacity& capacity)
    : model_(model),
      capacity_(capacity),
      conditioning_(conditioning_alone(model, conditioner)),
      prefixes_(model, conditioning_, kDecoderSites) {
  const auto self = make_caches(model, Site::decoder_self, capacity.generated_tokens());
  const auto cross = make_caches(model, Site::cross, encoder_rows(conditioning_, capacity));
  for (std::size_t layer = 0; layer < self.size(); ++layer) caches_.push_back({self[layer], cross[layer]});
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
  std::vector<std::int32_t> cache_rows(static_cast<std::size_t>(encoded_.rows()));
  std::iota(cache_rows.begin(), cache_rows.end(), 0);
  feed_input(*encoder_, seq2seq::kEncoderRows, cache_rows);
  prefixes_.feed(*encoder_);
  encoder_->run();
  slots_ = batch.slots;
  slots_.resize(batch.sources.size(), 0);
}

void Seq2SeqDecoder::begin_steps() {
  if (!step_) step_ = std::make_unique<Session>(compile_step());
  step_->rows(seq2seq::kEncoder, encoded_);
  feed_prefixes(*step_, conditioning_);
}

ScoreRows Seq2SeqDecoder::prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) {
  (void)rows_.begin(Segments(std::vector<std::int32_t>(prompts.size())));
  prefilled_.resize(prompts.size());
  std::size_t longest = 0;
  for (const auto& prompt : prompts) {
    require<ConfigError>(!prompt.empty(), "generation: an empty decoder prompt was given; wanted the start token at least");
    longest = std::max(longest, prompt.size());
  }
  begin_steps();
  // token by token, with as many rows as have one; finished prompts keep their histories and scores
  std::vector<CacheRows::History> done(prompts.size());
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
      done[who[r]] = rows_.histories()[r];
      prefilled_.set(who[r], scores, r, who.size());
    }
  }
  rows_.go_on_from(std::move(done));
  return prefilled_.rows();
}

void Seq2SeqDecoder::feed_tokens(std::span<const StepRow> rows) {
  const auto lengths = rows_.lengths();
  const PositionTable table = model_.positions();
  std::vector<std::int32_t> tokens, positions, row_slots, sources, source_slots;
  Segments segments;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const StepRow& row = rows[r];
    tokens.push_back(row.token);
    row_slots.push_back(slots_.at(static_cast<std::size_t>(row.sequence)));
    if (table.positions > 0) {
      const std::int64_t position = conditioning_.first_position(Site::decoder_self, row_slots.back()) + lengths[r] - 1;
      positions.push_back(position_row(position, table, static_cast<std::size_t>(row.sequence)));
    }
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
  feed_input(*step_, step_inputs::kRowSlots, row_slots);
  feed_front(*step_, seq2seq::kTargetSource, sources);
  feed_front(*step_, seq2seq::kDecoderSlots, source_slots);
}

ScoreRows Seq2SeqDecoder::step(std::span<const StepRow> rows, const ScoreQueries& queries) {
  rows_.extend(rows, capacity_.longest, caches_.at(0).self.key.dim(0));
  feed_tokens(rows);
  rows_.feed(*step_, capacity_.longest);
  outputs_.feed(*step_, queries, rows.size());
  step_->run();
  return outputs_.read(*step_);
}

std::int64_t Seq2SeqDecoder::cache_bytes() const noexcept {
  std::int64_t bytes = prefixes_.bytes();
  for (const auto& cache : caches_) bytes += cache.self.bytes() + cache.cross.bytes();
  return bytes;
}

CacheNeed cache_need(const EncoderDecoder& model, const Conditioning& conditioning, const DecoderCapacity& capacity) {
  return {PrefixCache::bytes_for(model, conditioning, kDecoderSites),
          encoder_rows(conditioning, capacity) * bytes_of_cache_row(model, Site::cross),
          capacity.generated_tokens() * bytes_of_cache_row(model, Site::decoder_self)};
}

}  // namespace preamble
