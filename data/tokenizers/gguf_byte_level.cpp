#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/tokenizers/gguf_vocabulary.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

/// How words are found in front of byte-level BPE.
enum class WordSplit : std::uint8_t { gpt2, digits, llama3, qwen2 };

struct Pre {
  std::string_view name;
  WordSplit words;
  bool nfc = false;            ///< texts are composed first
  bool ignore_merges = false;  ///< a word that is a token is taken whole
  bool bos = false;            ///< a text begins with the token of that role, unless the file says otherwise
};

/// Values of `tokenizer.ggml.pre`.
constexpr std::array kPres = {Pre{"gpt-2", WordSplit::gpt2},
                              Pre{"phi-2", WordSplit::gpt2},
                              Pre{"olmo", WordSplit::gpt2, true},  // GPT-NeoX's tokenizer
                              Pre{"smollm", WordSplit::digits},
                              Pre{"starcoder", WordSplit::digits},
                              Pre{"refact", WordSplit::digits},
                              Pre{"llama-bpe", WordSplit::llama3, false, true, true},
                              Pre{"llama3", WordSplit::llama3, false, true, true},
                              Pre{"llama-v3", WordSplit::llama3, false, true, true},
                              Pre{"dbrx", WordSplit::llama3},
                              Pre{"smaug-bpe", WordSplit::llama3},
                              Pre{"qwen2", WordSplit::qwen2, true},
                              Pre{"deepseek-r1-qwen", WordSplit::qwen2, true}};

/// Files of the first versions do not say how words are found: what the architecture's models do.
std::string pre_name(const GgufVocabulary& vocabulary) {
  const auto name = vocabulary.get<std::string>("pre", "default");
  if (name != "default") return name;
  const std::string architecture = vocabulary.architecture();
  if (architecture == "gpt2") return "gpt-2";
  if (architecture == "gptneox") return "olmo";
  return architecture == "qwen2" || architecture == "qwen3" ? "qwen2" : name;
}

const Pre& pre_of(const GgufVocabulary& vocabulary) {
  const std::string name = pre_name(vocabulary);
  const auto* found = std::ranges::find(kPres, name, &Pre::name);
  if (found == kPres.end()) {
    std::vector<std::string_view> known;
    for (const auto& pre : kPres) known.push_back(pre.name);
    raise<UnsupportedError>("{}: 'tokenizer.ggml.pre' is '{}'; wanted one of {}", vocabulary.where(), name, fmt::join(known, ", "));
  }
  return *found;
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", use_regex}};
}

/// Letters with one character in front that is neither letter nor digit, digits in groups, other characters, ends of lines, spaces.
std::string word_expression(std::string_view digits) {
  return fmt::format(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", digits);
}

Json pre_tokenizer(WordSplit words) {
  if (words == WordSplit::gpt2) return byte_level(true);
  Json first = {{"type", "Digits"}, {"individual_digits", true}};
  if (words != WordSplit::digits) {
    const std::string expression = word_expression(words == WordSplit::llama3 ? R"(\p{N}{1,3})" : R"(\p{N})");
    first = {{"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}};
  }
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({first, byte_level(words == WordSplit::digits)})}};
}

/// A text between the tokens that the file wants around it.
Json post_processor(const GgufVocabulary& vocabulary, const Pre& pre) {
  Json around = {{"type", "TemplateProcessing"}, {"single", Json::array()}, {"pair", Json::array()}, {"special_tokens", Json::object()}};
  const auto add = [&](const char* form, std::size_t id, int sequence) {
    const std::string& token = vocabulary.tokens()[id];
    Json part = Json::object();
    part["SpecialToken"] = {{"id", token}, {"type_id", sequence}};
    around[form].push_back(std::move(part));
    around["special_tokens"][token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  };
  const auto wanted = [&](const char* flag, const char* role, bool absent) {
    return vocabulary.get<bool>(flag, absent) ? vocabulary.id(role) : std::nullopt;
  };
  const auto bos = wanted("add_bos_token", "bos_token_id", pre.bos), eos = wanted("add_eos_token", "eos_token_id", false);
  if (!bos && !eos) return byte_level(false);
  for (const auto& [form, sequences] : {std::pair{"single", 1}, {"pair", 2}}) {
    for (int sequence = 0; sequence < sequences; ++sequence) {
      if (bos) add(form, *bos, sequence);
      Json part = Json::object();
      part["Sequence"] = {{"id", sequence == 0 ? "A" : "B"}, {"type_id", sequence}};
      around[form].push_back(std::move(part));
      if (eos) add(form, *eos, sequence);
    }
  }
  return {{"type", "Sequence"}, {"processors", Json::array({byte_level(false), around})}};
}

}  // namespace

Json gguf_byte_level(const GgufVocabulary& vocabulary) {
  const Pre& pre = pre_of(vocabulary);
  const auto types = vocabulary.types();
  Json ids = Json::object(), added = Json::array();
  for (std::size_t id = 0; id < types.size(); ++id) {
    // the converter fills vocabularies up to the rows of the embedding
    if (types[id] == GgufTokenType::unused) continue;
    const std::string& token = vocabulary.tokens()[id];
    require<FileError>(!ids.contains(token), "{}: the token '{}' is there twice; wanted each token once", vocabulary.where(), token);
    ids[token] = id;
    const bool control = types[id] == GgufTokenType::control;
    if (!control && types[id] != GgufTokenType::user_defined) continue;
    Json entry = {{"id", id},          {"content", token}, {"single_word", false}, {"lstrip", false},
                  {"rstrip", false}, {"normalized", false}, {"special", control}};
    added.push_back(std::move(entry));
  }
  Json normalizer;
  if (pre.nfc) normalizer = {{"type", "NFC"}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", normalizer},
          {"pre_tokenizer", pre_tokenizer(pre.words)},
          {"post_processor", post_processor(vocabulary, pre)},
          {"decoder", byte_level(true)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", pre.ignore_merges},
            {"vocab", ids},
            {"merges", vocabulary.get<std::vector<std::string>>("merges")}}}};
}

}  // namespace preamble
