#include "data/tokenizers/pre_tokenizers/byte_level.h"

#include <cstddef>
#include <string>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

[[nodiscard]] std::vector<PatternPiece> gpt2_pieces(std::string_view text) {
  const std::u32string chars = decode_utf8(text);
  std::vector<PatternPiece> pieces;
  std::size_t byte = 0;
  for (std::size_t begin = 0; begin < chars.size();) {
    const std::size_t end = piece_end(chars, begin);
    const std::size_t first = byte;
    for (; begin < end; ++begin) byte += utf8_bytes(chars[begin]);
    pieces.push_back({{first, byte}, true});
  }
  return pieces;
}

}  // namespace

void ByteLevelPreTokenizer::cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const {
  if (options.add_prefix_space.value_or(add_prefix_space_) && !piece.text().starts_with(' ')) piece.prepend(" ");
  const std::size_t first = out.size();
  if (use_regex_) {
    append_split(std::move(piece), gpt2_pieces(piece.text()), SplitBehavior::isolated, out);
  } else {
    out.push_back(std::move(piece));
  }
  for (std::size_t i = first; i < out.size(); ++i) bytes_to_chars(out[i]);
}

}  // namespace preamble
