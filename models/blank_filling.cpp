#include "models/blank_filling.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/tokenizer_config.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::string_view kStart = "<|startofpiece|>";
constexpr std::string_view kEnd = "<|endofpiece|>";
constexpr std::array<std::string_view, 4> kMasks = {"[MASK]", "[gMASK]", "[sMASK]", "<mask>"};

/// Whether a folder holds a vocabulary, beside the small files.
bool has_vocabulary(const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 7> kFiles = {"tokenizer.json", "vocab.json",           "vocab.txt",      "spiece.model",
                                                      "spm.model",      "cog-pretrain.model", "tokenizer.model"};
  return std::ranges::any_of(kFiles, [&](std::string_view name) { return std::filesystem::exists(folder / name); });
}

}  // namespace

bool BlankTokens::is_mask(std::int32_t id) const noexcept { return std::ranges::find(masks, id) != masks.end(); }

std::optional<BlankTokens> BlankTokens::read(const std::filesystem::path& folder) {
  const TokenizerConfig config = read_tokenizer_config(folder);
  const auto tokenizer = has_vocabulary(folder) ? load_tokenizer(folder) : nullptr;
  const auto id_of = [&](std::string_view content) -> std::optional<std::int32_t> {
    const auto found = std::ranges::find(config.added, content, &AddedToken::content);
    if (found != config.added.end()) return static_cast<std::int32_t>(found->id);
    return tokenizer != nullptr ? tokenizer->token_to_id(content) : std::nullopt;
  };
  const auto start = id_of(kStart);
  const auto end = id_of(kEnd);
  BlankTokens tokens;
  for (const auto name : kMasks) {
    if (const auto mask = id_of(name)) tokens.masks.push_back(*mask);
  }
  if (!start || !end || tokens.masks.empty()) return std::nullopt;
  tokens.start = *start;
  tokens.end = *end;
  return tokens;
}

const BlankTokens& BlankFilling::required(std::string_view wants) const {
  require<ConfigError>(tokens.has_value(), "{}: the model's folder names no {}, {} and mask; wanted added_tokens.json or a tokenizer with them",
                       wants, kStart, kEnd);
  return *tokens;
}

BlankPositions blank_positions(const std::vector<std::int32_t>& sequence, const BlankTokens& tokens, std::size_t number) {
  BlankPositions result;
  const auto first = std::ranges::find(sequence, tokens.start);
  result.context = static_cast<std::int32_t>(first - sequence.begin());
  std::vector<std::int32_t> blanks;
  for (std::int32_t i = 0; i < result.context; ++i) {
    result.positions.push_back(i);
    result.block_positions.push_back(0);
    if (tokens.is_mask(sequence[static_cast<std::size_t>(i)])) blanks.push_back(i);
  }
  require<ConfigError>(first == sequence.end() || !blanks.empty(), "sequence {}: a piece begins behind a text without a mask; wanted one", number);
  std::size_t piece = 0;
  std::int32_t block = 0;
  for (auto at = first; at != sequence.end(); ++at) {
    if (*at == tokens.start) {
      block = 0;
      ++piece;
    }
    result.positions.push_back(blanks[std::min(piece, blanks.size()) - 1]);
    result.block_positions.push_back(++block);
  }
  return result;
}

std::vector<std::int32_t> opened(std::vector<std::int32_t> text, const BlankTokens& tokens) {
  text.push_back(tokens.start);
  return text;
}

}  // namespace preamble
