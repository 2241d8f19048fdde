#include "models/pool_decoder.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/batch_inputs.h"
#include "models/step_inputs.h"

namespace preamble {
namespace {

const std::vector<Site> kSites = {Site::decoder_self};

/// Cache rows of what `prefill` reads.
std::int64_t read_rows(const VirtualRows& virtual_rows, const CausalDecoderCapacity& capacity) {
  return capacity.prompt_tokens + capacity.sequences * virtual_rows.in_pool;
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

PoolDecoder::PoolDecoder(LanguageModel& model, Conditioner conditioner, const CausalDecoderCapacity& capacity, Conditioning conditioning,
                         VirtualRows virtual_rows)
    : model_(model),
      conditioner_(std::move(conditioner)),
      capacity_(capacity),
      conditioning_(std::move(conditioning)),
      once_(std::move(virtual_rows.once)),
      longest_(capacity.longest + virtual_rows.in_pool),
      prefixes_(model, once_, kSites),
      caches_(make_caches(model, Site::decoder_self, read_rows(virtual_rows, capacity) + capacity.generated_tokens())) {}

ScoreRequest PoolDecoder::prepare(const ScoreRequest& wanted) {
  if (outputs_.serve(wanted)) return outputs_.request();
  outputs_ = ScoreOutputs(wanted);
  prefill_.reset();
  step_.reset();
  return wanted;
}

void PoolDecoder::compile_programs() {
  if (step_) return;
  Graph reading = model_.parameters().graph();
  const Conditioning conditioning = read_conditioning(reading, conditioner_(reading));
  prefixes_.write(reading, conditioning);
  outputs_.add(reading, prefill_logits(reading, conditioning, capacity_, caches_));
  Graph stepping = model_.parameters().graph();
  outputs_.add(stepping, step_logits(stepping, prefixes_.read(stepping), capacity_.sequences * capacity_.beams, longest_, caches_));
  prefill_ = std::make_unique<Session>(compile(std::move(reading)));
  step_ = std::make_unique<Session>(compile(std::move(stepping)));
}

ScoreRows PoolDecoder::prefill(std::span<const Ids> prompts, const ScoreQueries& queries) {
  slots_.resize(prompts.size(), 0);
  for (const auto& prompt : prompts) {
    require<ConfigError>(!prompt.empty(), "generation: an empty prompt was given; wanted one token at least");
  }
  compile_programs();
  const Segments kept = feed_prompts(*prefill_, prompts, slots_, conditioning_);
  feed_input(*prefill_, step_inputs::kCacheRow, rows_.begin(kept));
  prefixes_.feed(*prefill_);
  outputs_.feed(*prefill_, queries, prompts.size());
  prefill_->run();
  feed_prefixes(*step_, once_);
  return outputs_.read(*prefill_);
}

ScoreRows PoolDecoder::step(std::span<const StepRow> rows, const ScoreQueries& queries) {
  rows_.extend(rows, longest_, caches_.at(0).key.dim(0));
  Ids row_slots;
  for (const auto& row : rows) row_slots.push_back(slots_.at(static_cast<std::size_t>(row.sequence)));
  feed_tokens(*step_, rows, row_slots, rows_.lengths(), once_);
  feed_input(*step_, step_inputs::kRowSlots, row_slots);
  rows_.feed(*step_, longest_);
  outputs_.feed(*step_, queries, rows.size());
  step_->run();
  return outputs_.read(*step_);
}

std::int64_t PoolDecoder::cache_bytes() const noexcept {
  std::int64_t bytes = prefixes_.bytes();
  for (const auto& cache : caches_) bytes += cache.bytes();
  return bytes;
}

CacheNeed cache_need(const LanguageModel& model, const VirtualRows& virtual_rows, const CausalDecoderCapacity& capacity) {
  const std::int64_t row = bytes_of_cache_row(model, Site::decoder_self);
  return {PrefixCache::bytes_for(model, virtual_rows.once, kSites), read_rows(virtual_rows, capacity) * row,
          capacity.generated_tokens() * row};
}

}  // namespace preamble
