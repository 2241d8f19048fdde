#include "data/tokenizers/families.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "data/tokenizers/decoders/cleaning.h"
#include "data/tokenizers/models/bpe.h"
#include "engine/core/error.h"

namespace preamble {

const SpecialNames& t5_names() {
  static const SpecialNames names = {{"pad", "<pad>"}, {"eos", "</s>"}, {"unk", "<unk>"}};
  return names;
}

const SpecialNames& bert_names() {
  static const SpecialNames names = {{"pad", "[PAD]"}, {"unk", "[UNK]"}, {"cls", "[CLS]"}, {"sep", "[SEP]"}, {"mask", "[MASK]"}};
  return names;
}

const SpecialNames& roberta_names() {
  static const SpecialNames names = {{"bos", "<s>"}, {"eos", "</s>"}, {"pad", "<pad>"},  {"unk", "<unk>"},
                                     {"cls", "<s>"}, {"sep", "</s>"}, {"mask", "<mask>"}};
  return names;
}

const SpecialNames& gpt2_names() {
  static const SpecialNames names = {{"bos", "<|endoftext|>"}, {"eos", "<|endoftext|>"}, {"unk", "<|endoftext|>"}};
  return names;
}

const SpecialNames& llama_names() {
  static const SpecialNames names = {{"bos", "<s>"}, {"eos", "</s>"}, {"unk", "<unk>"}};
  return names;
}

std::int32_t needed(std::optional<std::int32_t> id, std::string_view role, const TokenizerParts& parts) {
  require<FileError>(id.has_value(), "{}: no {} token in the vocabulary; wanted one", parts.vocabulary.origin(), role);
  return *id;
}

void follow_bos_and_eos(TokenizerParts& parts, const TokenizerConfig& config) {
  if (parts.post_processor || (!config.add_bos_token && !config.add_eos_token)) return;
  // a family without such tokens keeps its own, as in transformers
  if (!parts.special.bos && !parts.special.eos) return;
  parts.post_processor = each_between(config.add_bos_token.value_or(false) ? parts.special.bos : std::nullopt,
                                      config.add_eos_token.value_or(false) ? parts.special.eos : std::nullopt);
}

void follow_clean_up(TokenizerParts& parts, const TokenizerConfig& config) {
  const bool bpe = dynamic_cast<const Bpe*>(parts.model.get()) != nullptr;
  if (!config.clean_up_spaces || (bpe && !config.clean_up_spaces_of_bpe)) return;
  parts.decoder = std::make_unique<CleaningDecoder>(std::move(parts.decoder));
}

}  // namespace preamble
