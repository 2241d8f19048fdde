#include "data/tokenizers/blank_tokens.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "data/tokenizers/families.h"

namespace preamble {
namespace {

constexpr std::string_view kStart = "<|startofpiece|>";
constexpr std::array<std::string_view, 4> kMasks = {"[MASK]", "[gMASK]", "[sMASK]", "<mask>"};
constexpr std::array<std::string_view, 6> kOthers = {kStart, "<|endofpiece|>", "<|endoftext|>", "[CLS]", "[SEP]", "[UNK]"};

void make_special(TokenizerParts& parts, std::string_view content, bool lstrip) {
  const auto id = parts.vocabulary.find(content);
  if (!id) return;
  auto found = std::ranges::find(parts.added, content, &AddedToken::content);
  if (found == parts.added.end()) {
    parts.added.push_back({.content = std::string(content), .id = *id});
    found = parts.added.end() - 1;
  }
  found->special = true;
  found->normalized = false;
  found->lstrip = found->lstrip || lstrip;
}

/// The first of these that the vocabulary has, unless the role has a token.
void give_role(const TokenizerParts& parts, std::optional<std::int32_t>& role, std::initializer_list<std::string_view> contents) {
  for (const auto content : contents) {
    if (!role) role = parts.vocabulary.find(content);
  }
}

}  // namespace

bool mark_blank_tokens(TokenizerParts& parts, MaskSpace space) {
  if (!parts.vocabulary.find(kStart)) return false;
  for (const auto content : kMasks) make_special(parts, content, space == MaskSpace::stripped);
  for (const auto content : kOthers) make_special(parts, content, false);
  SpecialIds& special = parts.special;
  give_role(parts, special.mask, {"[MASK]", "<mask>"});
  give_role(parts, special.cls, {"[CLS]", "<s>"});
  give_role(parts, special.sep, {"[SEP]", "</s>"});
  give_role(parts, special.unk, {"[UNK]", "<unk>"});
  give_role(parts, special.eos, {"<|endoftext|>", "</s>"});
  return true;
}

void frame_as_glm(TokenizerParts& parts) {
  const std::int32_t end = needed(parts.special.eos, "eos", parts);
  parts.post_processor = surrounding({needed(parts.special.cls, "cls", parts)}, {needed(parts.special.sep, "sep", parts)}, {end});
}

}  // namespace preamble
