#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/tokenizers/base64.h"
#include "data/tokenizers/byte_level_tokenizer.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/json_access.h"
#include "data/tokenizers/unigram_tokenizer.h"
#include "data/tokenizers/wordpiece_tokenizer.h"

namespace preamble {
namespace {

using nlohmann::json;

/// The value of a key, or null where the object lacks it.
[[nodiscard]] const json& at_or_null(const json& object, const char* key) {
  static const json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? null : *found;
}

/// The component of the given type: `component` itself or a member of the `Sequence` that it is; null if there is none.
[[nodiscard]] const json& find_component(const json& component, std::string_view type) {
  static const json null;
  if (at_or_null(component, "type") == type) return component;
  for (const char* key : {"normalizers", "pretokenizers", "processors"}) {
    for (const json& member : at_or_null(component, key)) {
      if (at_or_null(member, "type") == type) return member;
    }
  }
  return null;
}

/// Old files have no `model.type`; the keys tell.
[[nodiscard]] std::string model_type(const json& model) {
  if (model.contains("type")) return model.at("type").get<std::string>();
  if (model.contains("merges")) return "BPE";
  return model.at("vocab").is_array() && model.contains("unk_id") ? "Unigram" : "WordPiece";
}

/// Special ids between `first` and `last` of a template such as `[CLS] A [SEP] B [SEP]`.
[[nodiscard]] std::vector<std::int32_t> template_ids(const json& items, std::size_t first, std::size_t last, const json& special) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = first; i < last; ++i) {
    const auto name = items.at(i).at("SpecialToken").at("id").get<std::string>();
    for (const json& id : special.at(name).at("ids")) ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

[[nodiscard]] SpecialLayout template_layout(const json& processor, const std::string& origin) {
  const json& pair = processor.at("pair");
  const json& special = processor.at("special_tokens");
  std::vector<std::size_t> texts;
  for (std::size_t i = 0; i < pair.size(); ++i) {
    if (pair[i].contains("Sequence")) texts.push_back(i);
  }
  require<UnsupportedError>(texts.size() == 2, "{}: a template for pairs with {} texts; wanted two", origin, texts.size());
  SpecialLayout layout{.before = template_ids(pair, 0, texts[0], special),
                       .between = template_ids(pair, texts[0] + 1, texts[1], special),
                       .after = template_ids(pair, texts[1] + 1, pair.size(), special),
                       .second_type = pair[texts[1]].at("Sequence").at("type_id").get<std::int32_t>()};
  const json& single = processor.at("single");
  std::size_t text = 0;
  while (text < single.size() && !single[text].contains("Sequence")) ++text;
  require<UnsupportedError>(text < single.size() && template_ids(single, 0, text, special) == layout.before &&
                                template_ids(single, text + 1, single.size(), special) == layout.after,
                            "{}: templates that surround one text and a pair differently; wanted the same", origin);
  return layout;
}

[[nodiscard]] SpecialLayout layout_of(const json& processor, const std::string& origin) {
  if (const json& found = find_component(processor, "TemplateProcessing"); !found.is_null()) return template_layout(found, origin);
  const bool bert = !find_component(processor, "BertProcessing").is_null();
  const json& found = find_component(processor, bert ? "BertProcessing" : "RobertaProcessing");
  if (found.is_null()) return {};
  const auto cls = found.at("cls").at(1).get<std::int32_t>();
  const auto sep = found.at("sep").at(1).get<std::int32_t>();
  if (bert) return {.before = {cls}, .between = {sep}, .after = {sep}, .second_type = 1};
  return {.before = {cls}, .between = {sep, sep}, .after = {sep}};
}

/// A layout may name only ids of the vocabulary.
void check_layout(const TokenizerParts& parts) {
  for (const auto* ids : {&parts.layout.before, &parts.layout.between, &parts.layout.after}) {
    for (const std::int32_t id : *ids) {
      require<FileError>(parts.vocabulary.token(id) != nullptr, "{}: the post-processor adds id {}; wanted one of the vocabulary",
                         parts.vocabulary.origin(), id);
    }
  }
}

/// Added tokens, special ids and layout, when the vocabulary is there.
void finish_parts(const json& file, const TokenizerConfig& config, const SpecialNames& defaults, TokenizerParts& parts) {
  const std::string& origin = parts.vocabulary.origin();
  for (const json& entry : at_or_null(file, "added_tokens")) {
    parts.added.push_back(added_token_of(entry, entry.at("id").get<std::int64_t>(), origin));
  }
  add_special_tokens(parts, config, defaults);
  parts.layout = layout_of(at_or_null(file, "post_processor"), origin);
  check_layout(parts);
}

[[nodiscard]] std::unique_ptr<Tokenizer> unigram(const json& file, const TokenizerConfig& config, TokenizerParts parts) {
  const std::string origin = parts.vocabulary.origin();
  const json& model = file.at("model");
  std::vector<UnigramPiece> pieces;
  for (const json& entry : model.at("vocab")) {
    pieces.push_back({entry.at(0).get<std::string>(), entry.at(1).get<double>()});
    parts.vocabulary.add(pieces.back().text, static_cast<std::int64_t>(pieces.size()) - 1);
  }
  const auto unknown = model.at("unk_id").get<std::int64_t>();
  require<FileError>(unknown >= 0 && static_cast<std::size_t>(unknown) < pieces.size(), "{}: unk_id {}; wanted 0 to {}", origin, unknown,
                     static_cast<std::int64_t>(pieces.size()) - 1);
  require<UnsupportedError>(!model.value("byte_fallback", false), "{}: byte_fallback; wanted a unigram model without it", origin);
  const bool deberta = parts.vocabulary.find("[CLS]") && parts.vocabulary.find("[SEP]");
  finish_parts(file, config, deberta ? bert_names() : t5_names(), parts);
  const json& normalizer = at_or_null(file, "normalizer");
  const json& precompiled = find_component(normalizer, "Precompiled");
  std::string charsmap;
  if (!precompiled.is_null()) charsmap = decode_base64(precompiled.at("precompiled_charsmap").get<std::string>(), origin);
  const bool lowercase = config.do_lower_case.value_or(!find_component(normalizer, "Lowercase").is_null());
  return std::make_unique<UnigramTokenizer>(std::move(parts), Unigram(pieces, static_cast<std::int32_t>(unknown)),
                                            Charsmap(charsmap, origin),
                                            UnigramOptions{.lowercase = deberta && lowercase, .mark_is_space = deberta});
}

/// `"a b"` or `["a", "b"]`
[[nodiscard]] MergeRule merge_rule(const json& entry, const std::string& origin) {
  if (entry.is_array()) return {entry.at(0).get<std::string>(), entry.at(1).get<std::string>()};
  const auto text = entry.get<std::string>();
  const std::size_t space = text.find(' ');
  require<FileError>(space != std::string::npos, "{}: merge '{}'; wanted two tokens with a space between", origin, text);
  return {text.substr(0, space), text.substr(space + 1)};
}

[[nodiscard]] std::unique_ptr<Tokenizer> byte_level(const json& file, const TokenizerConfig& config, TokenizerParts parts) {
  const std::string origin = parts.vocabulary.origin();
  const json& splitter = find_component(at_or_null(file, "pre_tokenizer"), "ByteLevel");
  require<UnsupportedError>(!splitter.is_null(), "{}: BPE without the ByteLevel pre-tokenizer; wanted a byte-level one", origin);
  const json& model = file.at("model");
  for (const auto& [token, id] : model.at("vocab").items()) parts.vocabulary.add(token, id.get<std::int64_t>());
  std::vector<MergeRule> rules;
  for (const json& entry : model.at("merges")) rules.push_back(merge_rule(entry, origin));
  Bpe bpe(parts.vocabulary, rules);
  const bool roberta = parts.vocabulary.find("<s>") && parts.vocabulary.find("</s>");
  finish_parts(file, config, roberta ? roberta_names() : gpt2_names(), parts);
  mark_mask_as_lstrip(parts);
  const json& processor = at_or_null(file, "post_processor");
  const json& trimming = find_component(processor, roberta ? "RobertaProcessing" : "ByteLevel");
  const bool trim = !trimming.is_null() && trimming.value("trim_offsets", true);
  const ByteLevelOptions options{.add_prefix_space = config.add_prefix_space.value_or(splitter.value("add_prefix_space", false)),
                                 .trim_offsets = config.trim_offsets.value_or(trim)};
  return std::make_unique<ByteLevelTokenizer>(std::move(parts), std::move(bpe), options);
}

[[nodiscard]] std::unique_ptr<Tokenizer> wordpiece(const json& file, const TokenizerConfig& config, TokenizerParts parts) {
  const json& model = file.at("model");
  for (const auto& [token, id] : model.at("vocab").items()) parts.vocabulary.add(token, id.get<std::int64_t>());
  finish_parts(file, config, bert_names(), parts);
  WordPieceOptions options;
  options.unknown = model.value("unk_token", options.unknown);
  options.continuation = model.value("continuing_subword_prefix", options.continuation);
  options.longest_word = model.value("max_input_chars_per_word", options.longest_word);
  const json& normalizer = find_component(at_or_null(file, "normalizer"), "BertNormalizer");
  BertNormalizerOptions& normal = options.normalizer;
  if (!normalizer.is_null()) {
    normal.clean_text = normalizer.value("clean_text", true);
    normal.handle_chinese_chars = normalizer.value("handle_chinese_chars", true);
    normal.lowercase = normalizer.value("lowercase", true);
  }
  normal.lowercase = config.do_lower_case.value_or(normal.lowercase);
  normal.handle_chinese_chars = config.tokenize_chinese_chars.value_or(normal.handle_chinese_chars);
  const json& strip = at_or_null(normalizer, "strip_accents");
  normal.strip_accents = config.strip_accents.value_or(strip.is_null() ? normal.lowercase : strip.get<bool>());
  return std::make_unique<WordPieceTokenizer>(std::move(parts), std::move(options));
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path, const TokenizerConfig& config) {
  return read_json(JsonFile::open(path), [&](const json& file) {
    TokenizerParts parts{.vocabulary = Vocabulary(path.string()), .added = {}, .special = {}, .layout = {}};
    const std::string type = model_type(file.at("model"));
    if (type == "Unigram") return unigram(file, config, std::move(parts));
    if (type == "BPE") return byte_level(file, config, std::move(parts));
    if (type == "WordPiece") return wordpiece(file, config, std::move(parts));
    raise<UnsupportedError>("{}: a tokenizer of type '{}'; wanted Unigram, BPE or WordPiece", path.string(), type);
  });
}

}  // namespace preamble
