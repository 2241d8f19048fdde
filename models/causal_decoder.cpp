#include "models/causal_decoder.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/gather_rows.h"
#include "engine/runtime/compile.h"
#include "models/building.h"

namespace preamble {
namespace {

const std::vector<Site> kSites = {Site::decoder_self};

/// Cache rows of the longest infix of embeddings.
std::int64_t infix_rows(const Conditioning& conditioning) {
  return conditioning.prompt && conditioning.placement == Placement::infix ? conditioning.prompt->space.longest() : 0;
}

}  // namespace

CausalDecoderCapacity CausalDecoderCapacity::of(std::span<const Ids> prompts, const GenerationConfig& config) {
  CausalDecoderCapacity capacity;
  capacity.sequences = std::max<std::int64_t>(1, static_cast<std::int64_t>(prompts.size()));
  capacity.prompt_tokens = std::max<std::int64_t>(1, total_rows(prompts));
  capacity.beams = std::max(config.num_beams, config.num_return_sequences);
  for (const auto& prompt : prompts) {
    const auto length = static_cast<std::int64_t>(prompt.size());
    const std::int64_t limit = length_limit(config, length);
    capacity.longest = std::max({capacity.longest, length, limit});
    capacity.new_tokens = std::max(capacity.new_tokens, limit - length);
  }
  return capacity;
}

CausalDecoder::CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity)
    : model_(model), conditioner_(conditioner), capacity_(capacity) {
  {
    Graph graph = model_.parameters().graph();
    conditioning_ = conditioner_(graph);
  }
  seen_ = prompt_as_prefix(model, conditioning_);
  prefixes_ = PrefixCache(model, seen_, kSites);
  const std::int64_t places = capacity.prompt_tokens + capacity.sequences * infix_rows(conditioning_) + capacity.generated_tokens();
  capacity_.longest += infix_rows(conditioning_);
  const AttentionShape shape = model.attention_shape(Site::decoder_self);
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    const auto memory = [&] { return Tensor(model.activations(), {places, shape.kv_width()}); };
    caches_.push_back({memory(), memory()});
  }
}

ScoreRequest CausalDecoder::prepare(const ScoreRequest& wanted) {
  if (outputs_.serve(wanted)) return outputs_.request();
  outputs_ = ScoreOutputs(wanted);
  prefill_.reset();
  step_.reset();
  return wanted;
}

void CausalDecoder::compile_programs() {
  if (step_) return;
  prefill_ = std::make_unique<Session>(compile_prefill());
  step_ = std::make_unique<Session>(compile_step());
}

std::shared_ptr<const Program> CausalDecoder::compile_prefill() {
  Graph graph = model_.parameters().graph();
  const Conditioning conditioning = with_prompt_read(model_, graph, conditioner_(graph)).conditioning;
  prefixes_.write(graph, conditioning);
  const Value hidden = model_.prefill(graph, conditioning, {capacity_.sequences, capacity_.prompt_tokens}, caches_);
  const Value last = graph.subset(causal::kLabelled, hidden.type().rows, capacity_.sequences);
  outputs_.add(graph, model_.head(graph, gather_rows(hidden, last)));
  return compile(std::move(graph));
}

std::shared_ptr<const Program> CausalDecoder::compile_step() {
  Graph graph = model_.parameters().graph();
  const Value hidden = model_.step(graph, prefixes_.read(graph), capacity_.sequences * capacity_.beams, capacity_.longest, caches_);
  outputs_.add(graph, model_.head(graph, hidden));
  return compile(std::move(graph));
}

Ids CausalDecoder::places_of(const CausalBatch& batch) {
  next_place_ = 0;
  histories_.assign(batch.sequences.size(), {});
  Ids places;
  const Segments rows = own_segments(batch, conditioning_);
  for (std::int32_t s = 0; s < rows.count(); ++s) {
    for (std::int32_t row = 0; row < rows.length(s); ++row) {
      places.push_back(next_place_);
      histories_[static_cast<std::size_t>(s)].push_back(next_place_++);
    }
  }
  return places;
}

ScoreRows CausalDecoder::prefill(std::span<const Ids> prompts, const ScoreQueries& queries) {
  CausalBatch batch{{prompts.begin(), prompts.end()}, slots_};
  slots_.resize(prompts.size(), 0);
  for (const auto& prompt : prompts) {
    require<ConfigError>(!prompt.empty(), "generation: an empty prompt was given; wanted one token at least");
  }
  compile_programs();
  feed_rows(*prefill_, batch, conditioning_, model_.limits());
  const Segments rows = segments_of(prompts);
  const auto ends = rows.offsets().subspan(1);
  Ids last(ends.begin(), ends.end());
  for (auto& row : last) --row;
  prefill_->select(causal::kLabelled, last);
  feed_input(*prefill_, causal::kPlace, places_of(batch));
  prefixes_.feed(*prefill_);
  outputs_.feed(*prefill_, queries, prompts.size());
  prefill_->run();
  feed_prefixes(*step_, seen_);
  return outputs_.read(*prefill_);
}

void CausalDecoder::feed_step(std::span<const StepRow> rows) {
  std::vector<History> histories;
  Ids tokens, positions, lengths, places, row_slots;
  const PositionTable table = model_.positions();
  for (const auto& row : rows) {
    History history = histories_.at(static_cast<std::size_t>(row.parent));
    history.push_back(next_place_++);
    require<ShapeError>(static_cast<std::int64_t>(history.size()) <= capacity_.longest && history.back() < caches_.at(0).key.dim(0),
                        "generation: a sequence of {} tokens; the cache holds {}", history.size(), capacity_.longest);
    tokens.push_back(row.token);
    lengths.push_back(static_cast<std::int32_t>(history.size()));
    places.push_back(history.back());
    row_slots.push_back(slots_.at(static_cast<std::size_t>(row.sequence)));
    if (table.positions > 0) {
      const std::int64_t position = seen_.first_position(Site::decoder_self, row_slots.back()) + lengths.back() - 1;
      positions.push_back(position_row(position, table, static_cast<std::size_t>(row.sequence)));
    }
    histories.push_back(std::move(history));
  }
  const auto count = static_cast<std::int32_t>(rows.size());
  step_->rows(causal::kTokens, Segments(std::span(&count, 1)));
  feed_input(*step_, causal::kIds, tokens);
  if (!positions.empty()) feed_input(*step_, causal::kPositions, positions);
  feed_input(*step_, causal::kLengths, lengths);
  feed_input(*step_, causal::kPlace, places);
  feed_input(*step_, causal::kRowSlots, row_slots);
  const auto history = step_->input<std::int32_t>(causal::kHistory);
  for (std::size_t r = 0; r < histories.size(); ++r) {
    std::ranges::copy(histories[r], history.begin() + static_cast<std::ptrdiff_t>(r) * capacity_.longest);
  }
  histories_ = std::move(histories);
}

ScoreRows CausalDecoder::step(std::span<const StepRow> rows, const ScoreQueries& queries) {
  feed_step(rows);
  outputs_.feed(*step_, queries, rows.size());
  step_->run();
  return outputs_.read(*step_);
}

std::int64_t CausalDecoder::cache_bytes() const noexcept {
  std::int64_t bytes = prefixes_.bytes();
  for (const auto& cache : caches_) bytes += static_cast<std::int64_t>(cache.key.bytes() + cache.value.bytes());
  return bytes;
}

CacheNeed cache_need(const CausalLm& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity) {
  const AttentionShape shape = model.attention_shape(Site::decoder_self);
  const std::int64_t row = shape.layers * 2 * shape.kv_width() * static_cast<std::int64_t>(size_of(model.activations()));
  const std::int64_t read = capacity.prompt_tokens + capacity.sequences * infix_rows(conditioning);
  return {PrefixCache::bytes_for(model, prompt_as_prefix(model, conditioning), kSites), read * row, capacity.generated_tokens() * row};
}

}  // namespace preamble
