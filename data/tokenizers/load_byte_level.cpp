#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/text_file.h"
#include "data/tokenizers/blank_tokens.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/json_access.h"
#include "data/tokenizers/models/bpe.h"
#include "data/tokenizers/normalizers/unicode_form.h"
#include "data/tokenizers/pre_tokenizers/byte_level.h"
#include "data/tokenizers/pre_tokenizers/splits.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

/// `merges.txt`: a `#version` line, then two tokens a line with one space between.
[[nodiscard]] std::vector<MergeRule> read_merges(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::vector<MergeRule> rules;
  LineReader lines(text);
  while (const auto next = lines.next()) {
    const std::string_view line = *next;
    if (line.empty() || (lines.number() == 1 && line.starts_with("#version"))) continue;
    const std::size_t space = line.find(' ');
    require<FileError>(space != std::string_view::npos && space == line.rfind(' ') && space > 0 && space + 1 < line.size(),
                       "{}:{}: '{}'; wanted two tokens with one space between", path.string(), lines.number(), line);
    rules.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return rules;
}

/// The split of Qwen2.
constexpr std::string_view kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Qwen2's files are those of GPT-2, with a split and a normalisation of their own.
void split_as_qwen2(TokenizerParts& parts, const TokenizerConfig& config) {
  parts.normalizer = std::make_unique<UnicodeFormNormalizer>(UnicodeForm::nfc);
  std::vector<std::unique_ptr<PreTokenizer>> splits;
  splits.push_back(std::make_unique<PatternSplit>(Pattern::of_regex(kQwen2Split, parts.vocabulary.origin()), SplitBehavior::isolated, false));
  splits.push_back(std::make_unique<ByteLevelPreTokenizer>(config.add_prefix_space.value_or(false), false));
  parts.pre_tokenizer = std::make_unique<PreTokenizerSequence>(std::move(splits));
}

/// RoBERTa and BART, by their class or by their vocabulary.
[[nodiscard]] bool is_roberta(const TokenizerConfig& config, const Vocabulary& vocabulary) {
  if (config.is_class({"Roberta", "Bart", "Longformer", "LED"})) return true;
  if (config.is_class({"GPT2", "Qwen2"})) return false;
  return vocabulary.find("<s>") && vocabulary.find("</s>");
}

}  // namespace

std::unique_ptr<Tokenizer> load_byte_level(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                                           const TokenizerConfig& config) {
  const std::string origin = vocab.string();
  require<UnsupportedError>(!config.is_class({"CLIP", "OpenAIGPT", "CTRL", "FSMT", "Herbert", "Blenderbot", "Whisper", "DebertaTokenizer",
                                              "Markup", "Phobert", "BioGpt", "LayoutLMv3", "Luke"}),
                            "{}: a vocabulary of {}; wanted its tokenizer.json", origin, config.tokenizer_class);
  TokenizerParts parts{.vocabulary = Vocabulary(origin)};
  read_json(JsonFile::open(vocab), [&](const nlohmann::json& file) {
    for (const auto& [token, id] : file.items()) parts.vocabulary.add(token, id.get<std::int64_t>());
  });
  parts.model = std::make_unique<Bpe>(parts.vocabulary, read_merges(merges));
  const bool add_prefix_space = config.add_prefix_space.value_or(false);
  parts.pre_tokenizer = std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, true);
  parts.decoder = std::make_unique<ByteLevelDecoder>();
  if (is_roberta(config, parts.vocabulary)) {
    add_special_tokens(parts, config, roberta_names());
    (void)mark_blank_tokens(parts, MaskSpace::stripped);
    const std::int32_t cls = needed(parts.special.cls, "cls", parts);
    const std::int32_t sep = needed(parts.special.sep, "sep", parts);
    std::vector<std::unique_ptr<PostProcessor>> processors;
    if (config.trim_offsets.value_or(true)) processors.push_back(std::make_unique<OffsetTrimmer>(add_prefix_space));
    processors.push_back(surrounding({cls}, {sep, sep}, {sep}));
    parts.post_processor = std::make_unique<PostProcessorSequence>(std::move(processors));
  } else {
    add_special_tokens(parts, config, gpt2_names());
    if (mark_blank_tokens(parts, MaskSpace::stripped)) frame_as_glm(parts);
    if (config.is_class({"Qwen2"})) split_as_qwen2(parts, config);
  }
  follow_bos_and_eos(parts, config);
  mark_mask_as_lstrip(parts);
  follow_clean_up(parts, config);
  return std::make_unique<Tokenizer>(std::move(parts));
}

}  // namespace preamble
