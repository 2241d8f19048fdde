#include "peft/text_generator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/core/error.h"
#include "engine/distributed/shared_out.h"
#include "models/blank_decoder.h"
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
  /// Of what was generated: the same with the next blank open, where a sequence has blanks left; else nothing.
  [[nodiscard]] virtual std::optional<Ids> next(const Ids&) const { return std::nullopt; }
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

class BlankEngine final : public TextGenerator::Engine {
 public:
  BlankEngine(BlankModel& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity)
      : tokens_(model.blanks()->required("generation")), decoder_(model, conditioner, capacity) {}

  [[nodiscard]] Decoder& decoder() override { return decoder_; }
  [[nodiscard]] std::int64_t cache_bytes() const noexcept override { return decoder_.cache_bytes(); }
  [[nodiscard]] std::vector<Ids> begin(std::vector<Ids> sources, std::vector<std::int32_t> slots) override {
    decoder_.use_slots(std::move(slots));
    for (auto& source : sources) {
      // what has pieces already is open
      if (std::ranges::find(source, tokens_.start) == source.end()) source = opened(std::move(source), tokens_);
    }
    return sources;
  }
  [[nodiscard]] std::optional<Ids> next(const Ids& generated) const override {
    const auto text = std::span(generated).first(static_cast<std::size_t>(std::ranges::find(generated, tokens_.start) - generated.begin()));
    const auto blanks = std::ranges::count_if(text, [&](std::int32_t id) { return tokens_.is_mask(id); });
    if (std::ranges::count(generated, tokens_.start) >= blanks) return std::nullopt;
    Ids sequence = generated;
    if (sequence.back() == tokens_.end) sequence.pop_back();
    return opened(std::move(sequence), tokens_);
  }
  [[nodiscard]] std::size_t given(const Ids& prompt) const noexcept override { return prompt.size(); }

 private:
  BlankTokens tokens_;
  BlankDecoder decoder_;
};

std::unique_ptr<TextGenerator::Engine> engine_for(LanguageModel& model, const Method& method, const GenerationConfig& config, std::int64_t longest,
                                                  std::int64_t batch) {
  const Conditioner conditioner = [&method](Graph& graph) { return method.condition(graph); };
  const std::int64_t beams = std::max(config.num_beams, config.num_return_sequences);
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model)) {
    return std::make_unique<Seq2SeqEngine>(*encoder_decoder, conditioner, DecoderCapacity{batch, batch * longest, beams, length_limit(config, 1)});
  }
  auto* causal = dynamic_cast<CausalLm*>(&model);
  auto* blanks = dynamic_cast<BlankModel*>(&model);
  require<UnsupportedError>(causal != nullptr || blanks != nullptr, "generation: this model does not generate text");
  // the token that opens a piece
  if (blanks != nullptr) longest += 1;
  CausalDecoderCapacity capacity;
  capacity.sequences = batch;
  capacity.prompt_tokens = batch * longest;
  capacity.beams = beams;
  capacity.longest = std::max(longest, length_limit(config, longest));
  capacity.new_tokens = length_limit(config, 1) - 1;  // the shortest source leaves most room
  if (blanks != nullptr) {
    // a text may have several blanks, of which the later ones see the earlier
    constexpr std::int64_t kMostBlanks = 8;
    capacity.longest *= kMostBlanks;
    return std::make_unique<BlankEngine>(*blanks, conditioner, capacity);
  }
  return std::make_unique<CausalEngine>(*causal, conditioner, capacity);
}

/// A model whose files name no end token stops at the tokenizer's; one that fills blanks at the end of the piece, and where its table of positions
/// inside pieces ends: the token that opens the piece has the first row behind that of part A, and the last new token is never read.
GenerationConfig with_end(GenerationConfig config, const Tokenizer& tokenizer, const LanguageModel& model) {
  if (const auto* blanks = dynamic_cast<const BlankModel*>(&model)) {
    config.eos_token_ids = {blanks->blanks()->required("generation").end};
    const auto rows = static_cast<int>(blanks->blanks()->block_positions);
    if (rows > 1) config.max_new_tokens = std::min(config.max_new_tokens.value_or(rows - 1), rows - 1);
    return config;
  }
  if (config.eos_token_ids.empty() && tokenizer.special().end) config.eos_token_ids = {*tokenizer.special().end};
  return config;
}

}  // namespace

TextGenerator::TextGenerator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config,
                             std::int64_t longest_source, std::int64_t batch)
    : tokenizer_(tokenizer),
      config_(with_end(std::move(config), tokenizer, model)),
      batch_(batch),
      engine_(engine_for(model, method, config_, std::max<std::int64_t>(1, longest_source), batch)) {}

TextGenerator::TextGenerator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config,
                             std::int64_t longest_source, std::int32_t members, Combination combination, std::int64_t batch)
    : tokenizer_(tokenizer),
      config_(with_end(std::move(config), tokenizer, model)),
      batch_(batch),
      members_(members),
      engine_(engine_for(model, method, config_, std::max<std::int64_t>(1, longest_source), batch * members)),
      together_(std::make_unique<EnsembleDecoder>(engine_->decoder(), members, combination)) {}

TextGenerator::~TextGenerator() = default;

std::int64_t TextGenerator::cache_bytes() const noexcept { return engine_->cache_bytes(); }

std::string TextGenerator::further_pieces(std::vector<std::int32_t> sequence, std::int32_t slot, std::uint64_t stream) {
  std::string texts;
  GenerationConfig config = config_;
  config.num_return_sequences = 1;
  for (auto open = engine_->next(sequence); open; open = engine_->next(sequence)) {
    const std::vector<Ids> prompts = engine_->begin({*open}, {slot});
    sequence = preamble::generate(engine_->decoder(), config, prompts, std::vector{stream}).front();
    texts += std::string(kBetweenPieces) + tokenizer_.decode(std::span(sequence).subspan(engine_->given(prompts.front())));
  }
  return texts;
}

std::vector<std::string> TextGenerator::generate(std::span<const Example> examples, std::int32_t slot,
                                                 const std::function<void(std::int64_t)>& progress) {
  const auto size = static_cast<std::size_t>(batch_);
  const std::size_t answers = examples.size() * static_cast<std::size_t>(config_.num_return_sequences);
  return shared_out(world(), (examples.size() + size - 1) / size, answers, "generated texts", [&](std::size_t begin, std::size_t end) {
    const auto mine = examples.first(std::min(end * size, examples.size())).subspan(begin * size);
    return generate_here(mine, slot, progress);
  });
}

std::vector<std::string> TextGenerator::generate_here(std::span<const Example> examples, std::int32_t slot,
                                                      const std::function<void(std::int64_t)>& progress) {
  std::vector<std::string> texts;
  const auto copies = static_cast<std::size_t>(config_.num_return_sequences);
  for (std::size_t begin = 0; begin < examples.size(); begin += static_cast<std::size_t>(batch_)) {
    const auto part = examples.subspan(begin, std::min(static_cast<std::size_t>(batch_), examples.size() - begin));
    std::vector<Ids> sources;
    std::vector<std::int32_t> slots;
    std::vector<std::uint64_t> streams;
    for (const auto& example : part) {
      for (std::int32_t member = 0; member < members_; ++member) {
        sources.push_back(example.source);
        slots.push_back(together_ ? member : slot < 0 ? example.slot : slot);
      }
      streams.push_back(static_cast<std::uint64_t>(example.row));
    }
    std::vector<Ids> prompts = engine_->begin(std::move(sources), slots);
    for (std::size_t i = 0; together_ && i < part.size(); ++i) {
      prompts[i] = prompts[i * static_cast<std::size_t>(members_)];
      slots[i] = slots[i * static_cast<std::size_t>(members_)];
    }
    prompts.resize(part.size());
    const auto sequences = preamble::generate(together_ ? *together_ : engine_->decoder(), config_, prompts, streams);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      std::string text = tokenizer_.decode(std::span(sequences[i]).subspan(engine_->given(prompts.at(i / copies))));
      text += further_pieces(sequences[i], slots.at(i / copies), streams.at(i / copies));
      texts.push_back(std::move(text));
    }
    world().still_here();
    if (progress) progress(static_cast<std::int64_t>(begin + part.size()));
  }
  return texts;
}

}  // namespace preamble
