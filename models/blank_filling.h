// Texts with blanks, and the pieces that fill them (GLM: Du et al. 2022): where each token stands.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace preamble {

/// Tokens that mark blanks and pieces.
struct BlankTokens {
  std::int32_t start = 0;                ///< `<|startofpiece|>`, in front of each piece
  std::int32_t end = 0;                  ///< `<|endofpiece|>`, what its last row predicts
  std::vector<std::int32_t> masks = {};  ///< `[MASK]`, `[gMASK]`, `[sMASK]`, `<mask>`: those that the vocabulary has

  [[nodiscard]] bool is_mask(std::int32_t id) const noexcept;

  /// From added_tokens.json, tokenizer_config.json or the vocabulary of a folder; nothing where these name no start, end or mask. Throws
  /// FileError for malformed files.
  [[nodiscard]] static std::optional<BlankTokens> read(const std::filesystem::path& folder);
};

/// What a model that fills blanks has beside other models.
struct BlankFilling {
  std::int64_t block_positions = 0;        ///< rows of the table of positions inside pieces; 0: there is none
  std::optional<BlankTokens> tokens = {};  ///< of the folder, if it names them

  /// Throws ConfigError, in the name of what `wants` them, if the folder names none.
  [[nodiscard]] const BlankTokens& required(std::string_view wants) const;
};

/// Where the tokens of a sequence stand: part A, a text with blanks whose tokens see each other, then pieces, whose tokens see part A, all
/// earlier pieces and their own past.
struct BlankPositions {
  std::vector<std::int32_t> positions = {};        ///< row of the first table: the number in part A; of a piece that of its blank
  std::vector<std::int32_t> block_positions = {};  ///< row of the second table: 0 in part A; 1, 2, ... in a piece
  std::int32_t context = 0;                        ///< tokens of part A
};

/// Part A ends at the first start token (without one all tokens belong to it); piece i fills the i-th mask, or the last one where masks are
/// fewer. Throws ConfigError for a piece without any mask.
[[nodiscard]] BlankPositions blank_positions(const std::vector<std::int32_t>& sequence, const BlankTokens& tokens, std::size_t number);

/// Part A and a start token, which predicts the first token of the blank's text.
[[nodiscard]] std::vector<std::int32_t> opened(std::vector<std::int32_t> text, const BlankTokens& tokens);

}  // namespace preamble
