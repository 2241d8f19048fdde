#include "bench/decoders.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/gather_rows.h"
#include "engine/runtime/compile.h"
#include "models/building.h"
#include "models/causal_batch.h"
#include "models/causal_decoder.h"
#include "models/score_outputs.h"
#include "models/seq2seq_decoder.h"

namespace preamble::bench {
namespace {

std::int64_t longest_of(const Inputs& inputs) {
  std::size_t longest = 1;
  for (const auto& sequence : inputs.sequences) longest = std::max(longest, sequence.size());
  return static_cast<std::int64_t>(longest);
}

std::int64_t count_of(const Inputs& inputs) { return static_cast<std::int64_t>(inputs.sequences.size()); }

Conditioner conditioner_of(const Method& method) {
  return [&method](Graph& graph) { return method.condition(graph); };
}

class CachedCausal final : public Generator {
 public:
  CachedCausal(CausalLm& model, const Method& method, const Inputs& largest, const GenerationShape& shape)
      : decoder_(model, conditioner_of(method),
                 {count_of(largest), total_rows(largest.sequences), shape.beams, longest_of(largest) + shape.new_tokens, shape.new_tokens}) {}

  [[nodiscard]] Decoder& decoder() override { return decoder_; }
  [[nodiscard]] std::vector<Ids> begin(const Inputs& inputs) override {
    decoder_.use_slots(inputs.slots);
    return inputs.sequences;
  }

 private:
  CausalDecoder decoder_;
};

class CachedSeq2Seq final : public Generator {
 public:
  CachedSeq2Seq(EncoderDecoder& model, const Method& method, const Inputs& largest, const GenerationShape& shape)
      : start_(model.decoder_start_id()),
        decoder_(model, conditioner_of(method), {count_of(largest), total_rows(largest.sequences), shape.beams, 1 + shape.new_tokens}) {}

  [[nodiscard]] Decoder& decoder() override { return decoder_; }
  [[nodiscard]] std::vector<Ids> begin(const Inputs& inputs) override {
    decoder_.encode({.sources = inputs.sequences, .slots = inputs.slots});
    return std::vector<Ids>(inputs.sequences.size(), Ids{start_});
  }

 private:
  std::int32_t start_;
  Seq2SeqDecoder decoder_;
};

/// Keeps token sequences, and asks for the logits behind the last token of each.
class Rereading : public Generator, public Decoder {
 public:
  explicit Rereading(LanguageModel& model) : model_(model) {}

  [[nodiscard]] Decoder& decoder() override { return *this; }
  [[nodiscard]] std::int64_t vocabulary() const override { return model_.vocabulary(); }

  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override {
    if (session_ == nullptr || !outputs_.serve(wanted)) {
      outputs_ = ScoreOutputs(wanted);
      session_ = std::make_unique<Session>(compile_scores(outputs_));
    }
    return outputs_.request();
  }
  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) override {
    sequences_.assign(prompts.begin(), prompts.end());
    owners_.resize(prompts.size());
    std::iota(owners_.begin(), owners_.end(), 0);
    return scores(queries);
  }
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override {
    std::vector<Ids> next;
    owners_.clear();
    for (const auto& row : rows) {
      next.push_back(sequences_.at(static_cast<std::size_t>(row.parent)));
      next.back().push_back(row.token);
      owners_.push_back(row.sequence);
    }
    sequences_ = std::move(next);
    return scores(queries);
  }

 protected:
  /// The program that reads all sequences.
  [[nodiscard]] virtual std::shared_ptr<const Program> compile_scores(const ScoreOutputs& outputs) = 0;
  /// Fills its inputs. `owners`: which of the inputs each sequence belongs to.
  virtual void feed_sequences(Session& session, const std::vector<Ids>& sequences, const std::vector<std::int32_t>& owners) = 0;

  /// Selects each sequence's last row.
  static void select_last(Session& session, std::string_view subset, const std::vector<Ids>& sequences) {
    Ids rows;
    std::int32_t end = 0;
    for (const auto& sequence : sequences) rows.push_back((end += static_cast<std::int32_t>(sequence.size())) - 1);
    session.select(subset, rows);
  }

 private:
  [[nodiscard]] ScoreRows scores(const ScoreQueries& queries) {
    feed_sequences(*session_, sequences_, owners_);
    outputs_.feed(*session_, queries, sequences_.size());
    session_->run();
    return outputs_.read(*session_);
  }

  LanguageModel& model_;
  ScoreOutputs outputs_;
  std::unique_ptr<Session> session_;
  std::vector<Ids> sequences_;
  std::vector<std::int32_t> owners_;
};

class UncachedCausal final : public Rereading {
 public:
  UncachedCausal(CausalLm& model, const Method& method, const Inputs& largest, const GenerationShape& shape)
      : Rereading(model), model_(model), method_(method), rows_(count_of(largest) * shape.beams), longest_(longest_of(largest) + shape.new_tokens) {}

  [[nodiscard]] std::vector<Ids> begin(const Inputs& inputs) override {
    slots_ = inputs.slots;
    return inputs.sequences;
  }

 protected:
  [[nodiscard]] std::shared_ptr<const Program> compile_scores(const ScoreOutputs& outputs) override {
    Graph graph;
    conditioning_ = method_.condition(graph);
    const ReadConditioning read = with_prompt_read(model_, graph, conditioning_);
    const Value hidden = model_.decode(graph, read.conditioning, {rows_, rows_ * longest_});
    const Value last = graph.subset(causal::kLabelled, hidden.type().rows, rows_);
    outputs.add(graph, model_.head(graph, gather_rows(hidden, last)));
    return compile(std::move(graph));
  }
  void feed_sequences(Session& session, const std::vector<Ids>& sequences, const std::vector<std::int32_t>& owners) override {
    CausalBatch batch{.sequences = sequences};
    for (const auto owner : owners) batch.slots.push_back(slot_of(slots_, static_cast<std::size_t>(owner)));
    feed_rows(session, batch, conditioning_, model_.limits());
    select_last(session, causal::kLabelled, sequences);
  }

 private:
  CausalLm& model_;
  const Method& method_;
  std::int64_t rows_;
  std::int64_t longest_;
  Conditioning conditioning_;
  std::vector<std::int32_t> slots_;
};

class UncachedSeq2Seq final : public Rereading {
 public:
  UncachedSeq2Seq(EncoderDecoder& model, const Method& method, const Inputs& largest, const GenerationShape& shape)
      : Rereading(model), model_(model), method_(method) {
    capacity_.sequences = count_of(largest);
    capacity_.source_rows = total_rows(largest.sequences);
    capacity_.targets = capacity_.sequences * shape.beams;
    capacity_.target_rows = capacity_.targets * (1 + shape.new_tokens);
    std::int64_t encoded_rows = capacity_.source_rows;
    Graph graph;
    conditioning_ = method.condition(graph);
    if (conditioning_.prompt) encoded_rows += capacity_.sequences * conditioning_.prompt->space.longest();
    encoded_ = Tensor(Dtype::f32, {encoded_rows, model.width()});
    const Value encoded = model.encode(graph, conditioning_, capacity_);
    const Value place = row_input(graph, seq2seq::kEncoderRows, encoded.type().rows);
    graph.output("encoded", append_rows(graph.state("encoded", encoded_), encoded, place));
    encoder_ = std::make_unique<Session>(compile(std::move(graph)));
  }

  [[nodiscard]] std::vector<Ids> begin(const Inputs& inputs) override {
    batch_ = {.sources = inputs.sequences, .slots = inputs.slots};
    feed_sources(*encoder_, batch_, conditioning_, model_.limits());
    Ids places(static_cast<std::size_t>(encoder_segments(batch_, conditioning_).rows()));
    std::iota(places.begin(), places.end(), 0);
    feed_input(*encoder_, seq2seq::kEncoderRows, places);
    encoder_->run();
    return std::vector<Ids>(inputs.sequences.size(), Ids{model_.decoder_start_id()});
  }

 protected:
  [[nodiscard]] std::shared_ptr<const Program> compile_scores(const ScoreOutputs& outputs) override {
    Graph graph;
    const Conditioning conditioning = method_.condition(graph);
    const Value encoded = graph.state("encoded", encoded_, graph.rows(seq2seq::kEncoder, encoded_.dim(0), capacity_.sequences));
    const Value hidden = model_.decode(graph, encoded, conditioning, capacity_);
    const Value last = graph.subset(seq2seq::kLabelled, hidden.type().rows, capacity_.targets);
    outputs.add(graph, model_.head(graph, gather_rows(hidden, last)));
    return compile(std::move(graph));
  }
  void feed_sequences(Session& session, const std::vector<Ids>& sequences, const std::vector<std::int32_t>& owners) override {
    batch_.decoder_inputs = sequences;
    batch_.target_sources = owners;
    feed(session, batch_, conditioning_, model_.limits(), 1);
    session.rows(seq2seq::kEncoder, encoder_segments(batch_, conditioning_));
    select_last(session, seq2seq::kLabelled, sequences);
  }

 private:
  EncoderDecoder& model_;
  const Method& method_;
  Seq2SeqCapacity capacity_;
  Conditioning conditioning_;
  Tensor encoded_;
  Seq2SeqBatch batch_;
  std::unique_ptr<Session> encoder_;
};

template <class OfDecoderOnly, class OfEncoderDecoder>
std::unique_ptr<Generator> generator_for(LanguageModel& model, const Method& method, const Inputs& largest, const GenerationShape& shape) {
  if (auto* causal = dynamic_cast<CausalLm*>(&model)) return std::make_unique<OfDecoderOnly>(*causal, method, largest, shape);
  auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model);
  require<UnsupportedError>(encoder_decoder != nullptr, "generation: this model does not generate text");
  return std::make_unique<OfEncoderDecoder>(*encoder_decoder, method, largest, shape);
}

}  // namespace

std::unique_ptr<Generator> cached_generator(LanguageModel& model, const Method& method, const Inputs& largest, const GenerationShape& shape) {
  return generator_for<CachedCausal, CachedSeq2Seq>(model, method, largest, shape);
}

std::unique_ptr<Generator> uncached_generator(LanguageModel& model, const Method& method, const Inputs& largest, const GenerationShape& shape) {
  return generator_for<UncachedCausal, UncachedSeq2Seq>(model, method, largest, shape);
}

}  // namespace preamble::bench
