#include "data/tokenizers/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/json_access.h"

namespace preamble {
namespace {

using nlohmann::json;

struct Role {
  std::string_view name;
  std::optional<std::int32_t> SpecialIds::*id;
};

constexpr std::array<Role, 7> kRoles = {{{"bos", &SpecialIds::bos},
                                         {"cls", &SpecialIds::cls},
                                         {"eos", &SpecialIds::eos},
                                         {"mask", &SpecialIds::mask},
                                         {"pad", &SpecialIds::pad},
                                         {"sep", &SpecialIds::sep},
                                         {"unk", &SpecialIds::unk}}};

[[nodiscard]] std::int32_t checked_id(std::int64_t id, const std::string& content, const std::string& origin) {
  require<FileError>(id >= 0 && id < kTokenIdLimit, "{}: id {} of the added token '{}'; wanted 0 to {}", origin, id, content,
                     kTokenIdLimit - 1);
  return static_cast<std::int32_t>(id);
}

/// `pad_token` and the like: a string, or an object with `content`.
void read_special(const json& object, SpecialNames& names) {
  for (const Role& role : kRoles) {
    const auto found = object.find(std::string(role.name) + "_token");
    if (found == object.end() || found->is_null()) continue;
    names[std::string(role.name)] = found->is_object() ? found->at("content").get<std::string>() : found->get<std::string>();
  }
}

void read_added_decoder(const json& config, const std::string& origin, std::vector<AddedToken>& added) {
  const auto found = config.find("added_tokens_decoder");
  if (found == config.end()) return;
  for (const auto& [key, entry] : found->items()) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    require<FileError>(error == std::errc() && end == key.data() + key.size(), "{}: added_tokens_decoder has the key '{}'; wanted an id",
                       origin, key);
    added.push_back(added_token_of(entry, id, origin));
  }
}

/// The entry for the token's content, appended if there is none.
AddedToken& put(std::vector<AddedToken>& added, const AddedToken& token) {
  const auto known = std::find_if(added.begin(), added.end(), [&](const AddedToken& x) { return x.content == token.content; });
  if (known != added.end()) return *known;
  added.push_back(token);
  return added.back();
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  const auto open = [&](const char* name) -> std::optional<JsonFile> {
    if (!std::filesystem::exists(folder / name)) return std::nullopt;
    return JsonFile::open(folder / name);
  };
  if (const auto file = open("config.json")) config.model_type = file->get<std::string>("model_type", "");
  if (const auto file = open("special_tokens_map.json")) {
    read_json(*file, [&](const json& object) { read_special(object, config.special); });
  }
  if (const auto file = open("added_tokens.json")) {
    read_json(*file, [&](const json& object) {
      for (const auto& [content, id] : object.items()) {
        config.added.push_back({content, checked_id(id.get<std::int64_t>(), content, file->where())});
      }
    });
  }
  if (const auto file = open("tokenizer_config.json")) {
    read_json(*file, [&](const json& object) {
      read_special(object, config.special);
      read_added_decoder(object, file->where(), config.added);
    });
    config.tokenizer_class = file->get<std::string>("tokenizer_class", "");
    config.extra_ids = file->find<std::int64_t>("extra_ids");
    config.add_prefix_space = file->find<bool>("add_prefix_space");
    config.do_lower_case = file->find<bool>("do_lower_case");
    config.split_by_punct = file->find<bool>("split_by_punct");
    config.strip_accents = file->find<bool>("strip_accents");
    config.tokenize_chinese_chars = file->find<bool>("tokenize_chinese_chars");
    config.trim_offsets = file->find<bool>("trim_offsets");
  }
  return config;
}

AddedToken added_token_of(const json& entry, std::int64_t id, const std::string& origin) {
  AddedToken token;
  token.content = entry.at("content").get<std::string>();
  token.id = checked_id(id, token.content, origin);
  token.special = entry.value("special", false);
  token.lstrip = entry.value("lstrip", false);
  token.rstrip = entry.value("rstrip", false);
  require<UnsupportedError>(!entry.value("single_word", false), "{}: added token '{}' is single_word; wanted one that is found anywhere",
                            origin, token.content);
  return token;
}

void add_special_tokens(TokenizerParts& parts, const TokenizerConfig& config, const SpecialNames& defaults) {
  for (const AddedToken& token : config.added) put(parts.added, token);
  for (const AddedToken& token : parts.added) parts.vocabulary.add(token.content, token.id);
  for (const Role& role : kRoles) {
    const auto configured = config.special.find(role.name);
    const auto chosen = configured != config.special.end() ? configured : defaults.find(role.name);
    if (configured == config.special.end() && chosen == defaults.end()) continue;
    const auto id = parts.vocabulary.find(chosen->second);
    if (!id) continue;
    parts.special.*role.id = *id;
    put(parts.added, {chosen->second, *id}).special = true;
  }
}

void mark_mask_as_lstrip(TokenizerParts& parts) {
  for (AddedToken& token : parts.added) token.lstrip = token.lstrip || token.id == parts.special.mask;
}

}  // namespace preamble
