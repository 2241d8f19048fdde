#include "data/tokenizers/tokenizer_config.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/model_type.h"
#include "data/tokenizers/json_access.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 7> kRoles = {"bos", "eos", "unk", "sep", "pad", "cls", "mask"};

/// Classes that cut text into words with a program or library of their own before any vocabulary is asked.
constexpr std::array<std::string_view, 8> kAnalyserClasses = {"BertJapanese", "RoFormer",  "CpmTokenizer", "CpmAnt",
                                                              "Jumanpp",      "Flaubert",  "XLMTokenizer", "MecabTokenizer"};

[[nodiscard]] std::int32_t checked_id(std::int64_t id, const std::string& content, const std::string& origin) {
  require<FileError>(id >= 0 && id < kTokenIdLimit, "{}: id {} of the added token '{}'; wanted 0 to {}", origin, id, content,
                     kTokenIdLimit - 1);
  return static_cast<std::int32_t>(id);
}

/// A token by its content, or an object with `content` and flags.
[[nodiscard]] NamedToken named_token(const json& value, const std::string& origin) {
  if (!value.is_object()) return {value.get<std::string>()};
  NamedToken token{value.at("content").get<std::string>()};
  token.flags = added_token_of(value, 0, origin);
  return token;
}

/// A list of tokens, or an object that gives each a name.
void read_extra(const json& object, const char* key, const std::string& origin, std::vector<NamedToken>& extra) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return;
  for (const json& entry : *found) extra.push_back(named_token(entry, origin));
}

/// `pad_token` and the like, `extra_special_tokens` (`additional_special_tokens` in old files), and keys such as `image_token`.
void read_special(const json& object, const std::string& origin, bool main_file, TokenizerConfig& config) {
  for (const auto& [key, value] : object.items()) {
    if (!key.ends_with("_token") || value.is_null() || !(value.is_string() || value.is_object())) continue;
    const std::string role = key.substr(0, key.size() - std::string_view("_token").size());
    if (std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end()) {
      config.special[role] = named_token(value, origin);
      config.early_special.insert(config.special[role].content);
    } else {
      config.extra.push_back(named_token(value, origin));
    }
  }
  std::vector<NamedToken> extra;
  read_extra(object, "extra_special_tokens", origin, extra);
  const bool early = main_file || !extra.empty();
  if (extra.empty()) read_extra(object, "additional_special_tokens", origin, extra);
  for (const NamedToken& token : extra) {
    if (early) config.early_special.insert(token.content);
  }
  config.extra.insert(config.extra.end(), extra.begin(), extra.end());
}

void read_added_decoder(const json& object, const std::string& origin, TokenizerConfig& config) {
  const auto found = object.find("added_tokens_decoder");
  if (found == object.end()) return;
  config.has_added_decoder = true;
  for (const auto& [key, entry] : found->items()) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    require<FileError>(error == std::errc() && end == key.data() + key.size(), "{}: added_tokens_decoder has the key '{}'; wanted an id",
                       origin, key);
    config.added.push_back(added_token_of(entry, id, origin));
  }
}

/// `added_tokens.json` of old folders: ids alone; the tokens are special if another file says so.
void read_added_tokens(const json& object, const std::string& origin, TokenizerConfig& config) {
  for (const auto& [content, id] : object.items()) {
    const bool special = config.early_special.contains(content);
    config.added.push_back({.content = content,
                            .id = checked_id(id.get<std::int64_t>(), content, origin),
                            .special = special,
                            .normalized = !special});
  }
}

/// Keys that change what transformers makes of a text, and that are not followed here.
void warn_of_ignored(const json& object, const std::string& origin) {
  const auto is_true = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
  };
  for (const char* key : {"split_special_tokens", "keep_accents", "remove_space_at_end"}) {
    if (is_true(key)) warn(fmt::format("{}: {} is ignored", origin, key));
  }
  if (object.value("truncation_side", "right") != "right") {
    warn(fmt::format("{}: truncation_side {} is ignored; texts are cut at their right end", origin, object.at("truncation_side").dump()));
  }
  const auto sampling = object.find("sp_model_kwargs");
  if (sampling != object.end() && sampling->is_object() && sampling->value("enable_sampling", false)) {
    warn(fmt::format("{}: enable_sampling of sp_model_kwargs is ignored; the best segmentation is taken", origin));
  }
}

void refuse_analysers(const json& object, const std::string& origin, const TokenizerConfig& config) {
  const bool by_class = std::any_of(kAnalyserClasses.begin(), kAnalyserClasses.end(),
                                    [&](std::string_view name) { return config.tokenizer_class.starts_with(name); });
  require<UnsupportedError>(!by_class, "{}: a {}, which finds words with a library of its own; wanted a tokenizer without one", origin,
                            config.tokenizer_class);
  const auto words = object.find("word_tokenizer_type");
  require<UnsupportedError>(words == object.end() || *words == "basic", "{}: word_tokenizer_type {}; wanted a tokenizer that needs no analyser",
                            origin, words == object.end() ? "" : words->dump());
}

/// An id, the first of a list of ids, or nothing.
void read_id(const json& object, const char* key, std::optional<std::int64_t>& id) {
  const auto found = object.find(key);
  if (found == object.end()) return;
  const json& value = found->is_array() && !found->empty() ? found->front() : *found;
  if (value.is_number_integer()) id = value.get<std::int64_t>();
}

/// The ids that a model's own files give the tokens at the ends of texts.
void read_model_ids(const JsonFile& file, TokenizerConfig& config) {
  read_json(file, [&](const json& object) {
    read_id(object, "bos_token_id", config.model_bos_id);
    read_id(object, "eos_token_id", config.model_eos_id);
  });
}

[[nodiscard]] std::string class_name(std::string name) {
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

void read_main_config(const JsonFile& file, TokenizerConfig& config) {
  if (const auto name = file.find<std::string>("tokenizer_class")) config.tokenizer_class = class_name(*name);
  read_json(file, [&](const json& object) {
    refuse_analysers(object, file.where(), config);
    read_special(object, file.where(), true, config);
    read_added_decoder(object, file.where(), config);
    warn_of_ignored(object, file.where());
  });
  config.clean_up_spaces = file.get<bool>("clean_up_tokenization_spaces", false);
  config.clean_up_spaces_of_bpe = file.get<bool>("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false);
  config.extra_ids = file.find<std::int64_t>("extra_ids");
  config.add_bos_token = file.find<bool>("add_bos_token");
  config.add_eos_token = file.find<bool>("add_eos_token");
  config.add_prefix_space = file.find<bool>("add_prefix_space");
  config.do_lower_case = file.find<bool>("do_lower_case");
  config.legacy = file.find<bool>("legacy");
  config.split_by_punct = file.find<bool>("split_by_punct");
  config.strip_accents = file.find<bool>("strip_accents");
  config.tokenize_chinese_chars = file.find<bool>("tokenize_chinese_chars");
  config.trim_offsets = file.find<bool>("trim_offsets");
}

}  // namespace

bool TokenizerConfig::is_class(std::initializer_list<std::string_view> names) const {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return tokenizer_class.starts_with(name); });
}

std::string TokenizerConfig::name_of(std::string_view role, const SpecialNames& defaults) const {
  if (const auto found = special.find(role); found != special.end()) return found->second.content;
  const auto found = defaults.find(role);
  return found == defaults.end() ? std::string() : found->second;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  const auto open = [&](const char* name) -> std::optional<JsonFile> {
    if (!std::filesystem::exists(folder / name)) return std::nullopt;
    return JsonFile::open(folder / name);
  };
  if (const auto file = open("config.json")) {
    config.model_type = model_type_of(*file, "");
    config.tokenizer_class = class_name(file->find<std::string>("tokenizer_class").value_or(""));
    read_json(*file, [&](const json&) { refuse_analysers(json::object(), file->where(), config); });
    read_model_ids(*file, config);
  }
  if (const auto file = open("generation_config.json")) read_model_ids(*file, config);
  if (const auto file = open("tokenizer_config.json")) read_main_config(*file, config);
  if (!config.has_added_decoder) {
    // of an old folder, where the other files hold what `added_tokens_decoder` holds today
    if (const auto file = open("special_tokens_map.json")) {
      read_json(*file, [&](const json& object) { read_special(object, file->where(), false, config); });
    }
    if (const auto file = open("added_tokens.json")) {
      read_json(*file, [&](const json& object) { read_added_tokens(object, file->where(), config); });
    }
  }
  std::sort(config.added.begin(), config.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return config;
}

AddedToken added_token_of(const json& entry, std::int64_t id, const std::string& origin) {
  AddedToken token;
  token.content = entry.at("content").get<std::string>();
  token.id = checked_id(id, token.content, origin);
  token.special = entry.value("special", false);
  token.lstrip = entry.value("lstrip", false);
  token.rstrip = entry.value("rstrip", false);
  token.single_word = entry.value("single_word", false);
  token.normalized = entry.value("normalized", !token.special);
  return token;
}

}  // namespace preamble
