#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/families.h"
#include "data/tokenizers/json_access.h"

namespace preamble {
namespace {

using nlohmann::json;

/// The value of a key, or null where the object lacks it.
[[nodiscard]] json at_or_null(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? json() : *found;
}

/// Calls `change` with each component of the type: `component` itself and the members of the `Sequence` that it is.
template <class Change>
void change_components(json& component, std::string_view type, const Change& change) {
  if (at_or_null(component, "type") == type) change(component);
  for (const char* key : {"normalizers", "pretokenizers", "processors"}) {
    if (!component.is_object() || !component.contains(key)) continue;
    for (json& member : component.at(key)) change_components(member, type, change);
  }
}

/// Whether the class is one without a constructor of its own, or nothing names one.
[[nodiscard]] bool takes_file_as_it_is(const TokenizerConfig& config) {
  return config.is_class({"PreTrainedTokenizer", "TokenizersBackend"}) || (config.tokenizer_class.empty() && config.model_type.empty());
}

/// Puts the tokens that the config gives a role in the place of those that the post-processor of the file adds in it.
void rename_roles(json& post_processor, const TokenizerParts& parts, const TokenizerConfig& config) {
  const auto token_of = [&](std::string_view role, std::optional<std::int32_t> id) -> std::optional<std::int32_t> {
    return config.special.contains(role) ? id : std::nullopt;
  };
  for (const char* type : {"BertProcessing", "RobertaProcessing"}) {
    change_components(post_processor, type, [&](json& component) {
      if (const auto cls = token_of("cls", parts.special.cls)) component.at("cls").at(1) = *cls;
      if (const auto sep = token_of("sep", parts.special.sep)) component.at("sep").at(1) = *sep;
    });
  }
  change_components(post_processor, "TemplateProcessing", [&](json& component) {
    for (const auto& [content, role, id] : {std::tuple("[CLS]", "cls", parts.special.cls), std::tuple("[SEP]", "sep", parts.special.sep),
                                            std::tuple("<s>", "bos", parts.special.bos), std::tuple("</s>", "eos", parts.special.eos)}) {
      const auto given = token_of(role, id);
      if (given && component.at("special_tokens").contains(content)) component.at("special_tokens").at(content).at("ids") = {*given};
    }
  });
}

/// The descriptions of the components, with what the config of a class of its own overrules.
struct Descriptions {
  json normalizer, pre_tokenizer, post_processor, decoder;
};

[[nodiscard]] Descriptions descriptions(const json& file, const TokenizerConfig& config) {
  Descriptions parts = {at_or_null(file, "normalizer"), at_or_null(file, "pre_tokenizer"), at_or_null(file, "post_processor"),
                        at_or_null(file, "decoder")};
  if (takes_file_as_it_is(config)) return parts;
  const auto set = [](json& component, const char* key, const std::optional<bool>& value) {
    if (value) component[key] = *value;
  };
  change_components(parts.normalizer, "BertNormalizer", [&](json& component) {
    set(component, "lowercase", config.do_lower_case);
    set(component, "strip_accents", config.strip_accents);
    set(component, "handle_chinese_chars", config.tokenize_chinese_chars);
  });
  change_components(parts.pre_tokenizer, "ByteLevel", [&](json& component) { set(component, "add_prefix_space", config.add_prefix_space); });
  for (const char* type : {"ByteLevel", "RobertaProcessing"}) {
    change_components(parts.post_processor, type, [&](json& component) {
      set(component, "add_prefix_space", config.add_prefix_space);
      set(component, "trim_offsets", config.trim_offsets);
    });
  }
  return parts;
}

/// The names that the special tokens of such a vocabulary have where no file names them.
[[nodiscard]] const SpecialNames& names_of(const TokenizerParts& parts, bool byte_level) {
  const auto has = [&](std::string_view token) {
    return parts.vocabulary.find(token).has_value() ||
           std::ranges::find(parts.added, token, [](const AddedToken& added) { return std::string_view(added.content); }) != parts.added.end();
  };
  if (has("[CLS]") && has("[SEP]")) return bert_names();
  if (byte_level) return has("<s>") && has("</s>") ? roberta_names() : gpt2_names();
  if (has("<s>") && has("</s>") && has("<mask>")) return roberta_names();
  return has("<s>") ? llama_names() : t5_names();
}

/// Those of the names that the file lists among its added tokens, or all if it lists none.
[[nodiscard]] SpecialNames listed_names(const SpecialNames& names, const std::vector<AddedToken>& added) {
  if (added.empty()) return names;
  SpecialNames listed;
  for (const auto& [role, content] : names) {
    const auto is_listed = [&](const AddedToken& token) { return token.content == content; };
    if (std::any_of(added.begin(), added.end(), is_listed)) listed.emplace(role, content);
  }
  return listed;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path, const TokenizerConfig& config) {
  return read_json(JsonFile::open(path), [&](const json& file) {
    const std::string origin = path.string();
    TokenizerParts parts{.vocabulary = Vocabulary(origin)};
    parts.model = read_model(file.at("model"), parts.vocabulary);
    for (const json& entry : at_or_null(file, "added_tokens")) {
      parts.added.push_back(added_token_of(entry, entry.at("id").get<std::int64_t>(), origin));
    }
    bool byte_level = false;
    Descriptions components = descriptions(file, config);
    change_components(components.pre_tokenizer, "ByteLevel", [&](const json&) { byte_level = true; });
    const bool as_it_is = takes_file_as_it_is(config);
    add_special_tokens(parts, config, listed_names(names_of(parts, byte_level), parts.added),
                       as_it_is ? DefaultNames::stay_as_they_are : DefaultNames::become_special);
    if (byte_level && !as_it_is) mark_mask_as_lstrip(parts);
    if (!as_it_is) rename_roles(components.post_processor, parts, config);
    parts.normalizer = read_normalizer(components.normalizer, origin);
    parts.pre_tokenizer = read_pre_tokenizer(components.pre_tokenizer, origin);
    parts.post_processor = read_post_processor(components.post_processor, parts.vocabulary);
    parts.decoder = read_decoder(components.decoder, origin);
    follow_clean_up(parts, config);
    return std::make_unique<Tokenizer>(std::move(parts));
  });
}

}  // namespace preamble
