#include <algorithm>
#include <utility>

#include "data/tokenizers/tokenizer_config.h"

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
  Adder(TokenizerParts& parts, std::size_t model_tokens) : parts_(parts), next_(static_cast<std::int64_t>(model_tokens)) {
    for (const AddedToken& token : parts_.added) notice(token.id);
  }

  /// Adds the token, or gives the one of its content these flags. Without an id of the vocabulary or of the file it gets the next free one.
  void put(AddedToken token, std::optional<std::int32_t> id = std::nullopt) {
    if (token.content.empty()) return;
    const auto known = parts_.vocabulary.find(token.content);
    if (known) id = known;
    if (!id) {
      while (parts_.vocabulary.token(next_) != nullptr) ++next_;
      id = static_cast<std::int32_t>(next_);
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

void add_special_tokens(TokenizerParts& parts, const TokenizerConfig& config, const SpecialNames& defaults) {
  const std::size_t model_tokens = parts.vocabulary.count();
  for (const AddedToken& token : parts.added) parts.vocabulary.add(token.content, token.id);
  const std::vector<AddedToken> listed = parts.added;
  Adder adder(parts, model_tokens);
  for (const AddedToken& token : config.added) adder.put(token, token.id);
  for (const RoleId& role : kRoleIds) {
    const auto configured = config.special.find(role.name);
    const NamedToken name = configured != config.special.end() ? configured->second : NamedToken{config.name_of(role.name, defaults)};
    if (configured == config.special.end() && !parts.vocabulary.find(name.content)) continue;
    adder.put(special_token(name, config, listed));
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
