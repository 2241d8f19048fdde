#include "peft/text_generator.h"

#include <algorithm>
#include <utility>

#include "models/generate/generate.h"

namespace preamble {

TextGenerator::TextGenerator(EncoderDecoder& model, const Method& method, const Tokenizer& tokenizer, GenerationConfig config,
                             std::int64_t longest_source, std::int64_t batch)
    : model_(model),
      tokenizer_(tokenizer),
      config_(std::move(config)),
      batch_(batch),
      decoder_(model, [&method](Graph& graph) { return method.condition(graph); },
               DecoderCapacity{batch, batch * std::max<std::int64_t>(1, longest_source), std::max(config_.num_beams, config_.num_return_sequences),
                               length_limit(config_, 1)}) {}

std::vector<std::string> TextGenerator::generate(std::span<const Example> examples, std::int32_t slot,
                                                 const std::function<void(std::int64_t)>& progress) {
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < examples.size(); begin += static_cast<std::size_t>(batch_)) {
    const auto part = examples.subspan(begin, std::min(static_cast<std::size_t>(batch_), examples.size() - begin));
    Seq2SeqBatch batch;
    std::vector<std::uint64_t> streams;
    for (const auto& example : part) {
      batch.sources.push_back(example.source);
      batch.slots.push_back(slot < 0 ? example.slot : slot);
      streams.push_back(static_cast<std::uint64_t>(example.row));
    }
    decoder_.encode(batch);
    const std::vector<std::vector<std::int32_t>> prompts(part.size(), {model_.decoder_start_id()});
    for (const auto& ids : preamble::generate(decoder_, config_, prompts, streams)) texts.push_back(tokenizer_.decode(ids));
    if (progress) progress(static_cast<std::int64_t>(begin + part.size()));
  }
  return texts;
}

}  // namespace preamble
