#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/tokenizers/tokenizer_config.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

struct RoleId {
  std::string_view name;
  std::optional<std::int32_t> SpecialIds::*id;
};

/// In the order in which transformers adds their tokens.
constexpr std::array<RoleId, 7> kRoleIds = {{{"bos", &SpecialIds::bos},
                                         {"eos", &SpecialIds::eos},
                                         {"unk", &SpecialIds::unk},
                                         {"sep", &SpecialIds::sep},
                                         {"pad", &SpecialIds::pad},
                                         {"cls", &SpecialIds::cls},
                                         {"mask", &SpecialIds::mask}}};

/// Adds tokens to a vocabulary, each once.
class Adder {
 public:
  explicit Adder(TokenizerParts& parts) : parts_(parts), next_(static_cast<std::int64_t>(parts.vocabulary.count())) {
    std::vector<AddedToken> listed;
    listed.swap(parts_.added);
    for (AddedToken& token : listed) {
      const auto id = token.id;
      put(std::move(token), id);
    }
  }

  /// Adds the token, or gives the one of its content these flags. A token of the vocabulary keeps its id. Another one gets that of its file, or the
  /// next free one: as in the library also if the file's leaves a gap.
  void put(AddedToken token, std::optional<std::int32_t> id = std::nullopt) {
    if (token.content.empty()) return;
    if (const auto known = parts_.vocabulary.find(token.content)) {
      if (id && *id != *known) warn_of_other_id(token, *id, *known);
      id = known;
    } else {
      while (parts_.vocabulary.token(next_) != nullptr) ++next_;
      if (id && *id > next_) warn_of_other_id(token, *id, next_);
      if (!id || *id > next_) id = static_cast<std::int32_t>(next_);
    }
    token.id = *id;
    parts_.vocabulary.add(token.content, *id);
    notice(*id);
    if (AddedToken* same = find(token.content)) {
      *same = std::move(token);
    } else {
      parts_.added.push_back(std::move(token));
    }
  }

  [[nodiscard]] AddedToken* find(std::string_view content) {
    const auto found = std::find_if(parts_.added.begin(), parts_.added.end(), [&](const AddedToken& x) { return x.content == content; });
    return found == parts_.added.end() ? nullptr : &*found;
  }

 private:
  void warn_of_other_id(const AddedToken& token, std::int64_t listed, std::int64_t given) const {
    warn(fmt::format("{}: the added token '{}' is listed with the id {}; it gets {}, as in transformers", parts_.vocabulary.origin(), token.content,
                     listed, given));
  }

  void notice(std::int64_t id) { next_ = std::max(next_, id + 1); }

  TokenizerParts& parts_;
  std::int64_t next_;
};

/// The token as special: with the flags of its own entry, else with those that a list of added tokens gives its content, else with none.
[[nodiscard]] AddedToken special_token(const NamedToken& name, const TokenizerConfig& config, const std::vector<AddedToken>& listed) {
  AddedToken token{.content = name.content};
  const auto look_up = [&](const std::vector<AddedToken>& tokens) {
    const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const AddedToken& x) { return x.content == name.content; });
    if (found != tokens.end()) token = *found;
  };
  if (!config.has_added_decoder) look_up(listed);
  look_up(config.added);
  if (name.flags) token = *name.flags;
  token.special = true;
  return token;
}

using Id = std::optional<std::int32_t>;

[[nodiscard]] Id first_of(Id own, Id of_model, Id other) { return own ? own : of_model ? of_model : other; }

/// The id if the vocabulary has it.
[[nodiscard]] Id known(std::optional<std::int64_t> id, const Vocabulary& vocabulary) {
  return id && vocabulary.token(*id) != nullptr ? Id(static_cast<std::int32_t>(*id)) : std::nullopt;
}

}  // namespace

void add_special_tokens(TokenizerParts& parts, const TokenizerConfig& config, const SpecialNames& defaults, DefaultNames use) {
  const std::vector<AddedToken> listed = parts.added;
  Adder adder(parts);
  for (const AddedToken& token : config.added) adder.put(token, token.id);
  for (const RoleId& role : kRoleIds) {
    const auto configured = config.special.find(role.name);
    const NamedToken name = configured != config.special.end() ? configured->second : NamedToken{config.name_of(role.name, defaults)};
    if (configured == config.special.end() && !parts.vocabulary.find(name.content)) continue;
    if (configured != config.special.end() || use == DefaultNames::become_special) adder.put(special_token(name, config, listed));
    parts.special.*role.id = parts.vocabulary.find(name.content);
  }
  for (const NamedToken& name : config.extra) adder.put(special_token(name, config, listed));
  SpecialIds& special = parts.special;
  special.begin = first_of(special.bos, known(config.model_bos_id, parts.vocabulary), special.cls);
  special.end = first_of(special.eos, known(config.model_eos_id, parts.vocabulary), special.sep);
}

void mark_mask_as_lstrip(TokenizerParts& parts) {
  for (AddedToken& token : parts.added) token.lstrip = token.lstrip || token.id == parts.special.mask;
}

}  // namespace preamble
