#include "data/tokenizers/gguf_tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/gguf_vocabulary.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

Json special_tokens(const GgufVocabulary& vocabulary) {
  struct Role {
    const char *key, *name;
  };
  constexpr Role kRoles[] = {{"bos_token_id", "bos_token"},       {"eos_token_id", "eos_token"}, {"unknown_token_id", "unk_token"},
                             {"seperator_token_id", "sep_token"},  // the key is spelt so
                             {"padding_token_id", "pad_token"},   {"cls_token_id", "cls_token"}, {"mask_token_id", "mask_token"}};
  Json config = Json::object();
  for (const auto& role : kRoles) {
    if (const auto id = vocabulary.id(role.key)) config[role.name] = vocabulary.tokens()[*id];
  }
  return config;
}

/// llama.cpp marks the beginning of a word, where WordPiece marks what continues one.
void write_wordpiece(const std::vector<std::string>& tokens, const std::filesystem::path& folder) {
  constexpr std::string_view kBegin = "\xE2\x96\x81";
  std::string text;
  for (const auto& token : tokens) {
    const bool special = token.starts_with('[') && token.ends_with(']') && token.size() > 2;
    if (token.starts_with(kBegin)) {
      text += token.substr(kBegin.size());
    } else {
      text += special ? token : "##" + token;
    }
    text += '\n';
  }
  write_atomically(folder / "vocab.txt", text);
}

/// Llama's and Gemma's SentencePiece models, and what stands around texts.
void write_bpe_pieces(const GgufVocabulary& vocabulary, const std::filesystem::path& folder, Json& config) {
  write_atomically(folder / "tokenizer.model", gguf_sentencepiece(vocabulary, true).bytes);
  config["add_bos_token"] = vocabulary.get<bool>("add_bos_token", true);
  config["add_eos_token"] = vocabulary.get<bool>("add_eos_token", false);
  config["add_prefix_space"] = vocabulary.get<bool>("add_space_prefix", true);
  config["tokenizer_class"] = vocabulary.architecture() == "gemma" ? "GemmaTokenizer" : "LlamaTokenizer";
}

}  // namespace

void write_gguf_tokenizer(const GgufFile& file, const std::filesystem::path& folder) {
  if (!file.facts().contains("tokenizer.ggml.model")) return;
  const GgufVocabulary vocabulary(file);
  const auto kind = vocabulary.get<std::string>("model");
  Json config = special_tokens(vocabulary);
  if (kind == "gpt2") {
    write_atomically(folder / "tokenizer.json", gguf_byte_level(vocabulary).dump() + "\n");
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
  } else if (kind == "bert") {
    write_wordpiece(vocabulary.tokens(), folder);
    config["tokenizer_class"] = "BertTokenizer";
  } else if (kind == "t5") {
    const SentencePieceFile model = gguf_sentencepiece(vocabulary, false);
    write_atomically(folder / "spiece.model", model.bytes);
    config["extra_ids"] = model.extra_ids;
    config["tokenizer_class"] = "T5Tokenizer";
  } else if (kind == "llama") {
    write_bpe_pieces(vocabulary, folder, config);
  } else {
    raise<UnsupportedError>("{}: the tokenizer is '{}'; wanted bert, gpt2, llama or t5", vocabulary.where(), kind);
  }
  write_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace preamble
