#include "data/tokenizers/families.h"

#include <string_view>

#include "engine/core/error.h"

namespace preamble {
namespace {

[[nodiscard]] std::int32_t needed(std::optional<std::int32_t> id, std::string_view role, const std::string& origin) {
  require<FileError>(id.has_value(), "{}: no {} token in the vocabulary; wanted one", origin, role);
  return *id;
}

}  // namespace

const SpecialNames& t5_names() {
  static const SpecialNames names = {{"pad", "<pad>"}, {"eos", "</s>"}, {"unk", "<unk>"}};
  return names;
}

const SpecialNames& bert_names() {
  static const SpecialNames names = {{"pad", "[PAD]"}, {"unk", "[UNK]"}, {"cls", "[CLS]"}, {"sep", "[SEP]"}, {"mask", "[MASK]"}};
  return names;
}

const SpecialNames& roberta_names() {
  static const SpecialNames names = {{"bos", "<s>"}, {"eos", "</s>"}, {"pad", "<pad>"},  {"unk", "<unk>"},
                                     {"cls", "<s>"}, {"sep", "</s>"}, {"mask", "<mask>"}};
  return names;
}

const SpecialNames& gpt2_names() {
  static const SpecialNames names = {{"bos", "<|endoftext|>"}, {"eos", "<|endoftext|>"}, {"unk", "<|endoftext|>"}};
  return names;
}

SpecialLayout t5_layout(const SpecialIds& special, const std::string& origin) {
  const std::int32_t eos = needed(special.eos, "eos", origin);
  return {.before = {}, .between = {eos}, .after = {eos}};
}

SpecialLayout bert_layout(const SpecialIds& special, const std::string& origin) {
  const std::int32_t sep = needed(special.sep, "sep", origin);
  return {.before = {needed(special.cls, "cls", origin)}, .between = {sep}, .after = {sep}, .second_type = 1};
}

SpecialLayout roberta_layout(const SpecialIds& special, const std::string& origin) {
  const std::int32_t sep = needed(special.sep, "sep", origin);
  return {.before = {needed(special.cls, "cls", origin)}, .between = {sep, sep}, .after = {sep}};
}

}  // namespace preamble
