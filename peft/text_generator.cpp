#include "peft/text_generator.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "models/causal_decoder.h"
#include "models/generate/generate.h"
#include "models/seq2seq_decoder.h"

namespace preamble {

class TextGenerator::Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  [[nodiscard]] virtual Decoder& decoder() = 0;
  [[nodiscard]] virtual std::int64_t cache_bytes() const noexcept = 0;
  /// Reads the sources as far as generation needs them beforehand; returns the ids that are continued.
  [[nodiscard]] virtual std::vector<Ids> begin(std::vector<Ids> sources, std::vector<std::int32_t> slots) = 0;
  /// How many tokens in front of the result belong to the input.
  [[nodiscard]] virtual std::size_t given(const Ids& prompt) const noexcept = 0;
};

namespace {

class Seq2SeqEngine final : public TextGenerator::Engine {
 public:
  Seq2SeqEngine(EncoderDecoder& model, const Conditioner& conditioner, const DecoderCapacity& capacity)
      : model_(model), decoder_(model, conditioner, capacity) {}

  [[nodiscard]] Decoder& decoder() override { return decoder_; }
  [[nodiscard]] std::int64_t cache_bytes() const noexcept override { return decoder_.cache_bytes(); }
  [[nodiscard]] std::vector<Ids> begin(std::vector<Ids> sources, std::vector<std::int32_t> slots) override {
    std::vector<Ids> starts(sources.size(), Ids{model_.decoder_start_id()});
    decoder_.encode({.sources = std::move(sources), .slots = std::move(slots)});
    return starts;
  }
  [[nodiscard]] std::size_t given(const Ids&) const noexcept override { return 0; }

 private:
  EncoderDecoder& model_;
  Seq2SeqDecoder decoder_;
};

class CausalEngine final : public TextGenerator::Engine {
 public:
  CausalEngine(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity) : decoder_(model, conditioner, capacity) {}

  [[nodiscard]] Decoder& decoder() override { return decoder_; }
  [[nodiscard]] std::int64_t cache_bytes() const noexcept override { return decoder_.cache_bytes(); }
  [[nodiscard]] std::vector<Ids> begin(std::vector<Ids> sources, std::vector<std::int32_t> slots) override {
    decoder_.use_slots(std::move(slots));
    return sources;
  }
  [[nodiscard]] std::size_t given(const Ids& prompt) const noexcept override { return prompt.size(); }

 private:
  CausalDecoder decoder_;
};

std::unique_ptr<TextGenerator::Engine> engine_for(LanguageModel& model, const Method& method, const GenerationConfig& config, std::int64_t longest,
                                                  std::int64_t batch) {
  const Conditioner conditioner = [&method](Graph& graph) { return method.condition(graph); };
  const std::int64_t beams = std::max(config.num_beams, config.num_return_sequences);
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model)) {
    return std::make_unique<Seq2SeqEngine>(*encoder_decoder, conditioner, DecoderCapacity{batch, batch * longest, beams, length_limit(config, 1)});
  }
  auto* causal = dynamic_cast<CausalLm*>(&model);
  require<UnsupportedError>(causal != nullptr, "generation: this model does not generate text");
  CausalDecoderCapacity capacity;
  capacity.sequences = batch;
  capacity.prompt_tokens = batch * longest;
  capacity.beams = beams;
  capacity.longest = std::max(longest, length_limit(config, longest));
  capacity.new_tokens = length_limit(config, 1) - 1;  // the shortest source leaves most room
  return std::make_unique<CausalEngine>(*causal, conditioner, capacity);
}

/// A model whose files name no end token stops at the tokenizer's.
GenerationConfig with_end(GenerationConfig config, const Tokenizer& tokenizer) {
  if (config.eos_token_ids.empty() && tokenizer.special().end) config.eos_token_ids = {*tokenizer.special().end};
  return config;
}

}  // namespace

TextGenerator::TextGenerator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config,
                             std::int64_t longest_source, std::int64_t batch)
    : tokenizer_(tokenizer),
      config_(with_end(std::move(config), tokenizer)),
      batch_(batch),
      engine_(engine_for(model, method, config_, std::max<std::int64_t>(1, longest_source), batch)) {}

TextGenerator::~TextGenerator() = default;

std::int64_t TextGenerator::cache_bytes() const noexcept { return engine_->cache_bytes(); }

std::vector<std::string> TextGenerator::generate(std::span<const Example> examples, std::int32_t slot,
                                                 const std::function<void(std::int64_t)>& progress) {
  std::vector<std::string> texts;
  const auto copies = static_cast<std::size_t>(config_.num_return_sequences);
  for (std::size_t begin = 0; begin < examples.size(); begin += static_cast<std::size_t>(batch_)) {
    const auto part = examples.subspan(begin, std::min(static_cast<std::size_t>(batch_), examples.size() - begin));
    std::vector<Ids> sources;
    std::vector<std::int32_t> slots;
    std::vector<std::uint64_t> streams;
    for (const auto& example : part) {
      sources.push_back(example.source);
      slots.push_back(slot < 0 ? example.slot : slot);
      streams.push_back(static_cast<std::uint64_t>(example.row));
    }
    const std::vector<Ids> prompts = engine_->begin(std::move(sources), std::move(slots));
    const auto sequences = preamble::generate(engine_->decoder(), config_, prompts, streams);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      texts.push_back(tokenizer_.decode(std::span(sequences[i]).subspan(engine_->given(prompts.at(i / copies)))));
    }
    if (progress) progress(static_cast<std::int64_t>(begin + part.size()));
  }
  return texts;
}

}  // namespace preamble
