#include "data/tokenizers/byte_level_tokenizer.h"

#include <algorithm>
#include <utility>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

/// Offsets without the spaces (U+0020 only) at both ends of a token. The space that was added in front of a text is no
/// character of it, so a token at the very start has one leading space less.
[[nodiscard]] CharRange trimmed(CharRange range, std::string_view bytes, bool prefixed) {
  const std::size_t first = bytes.find_first_not_of(' ');
  auto leading = static_cast<std::int32_t>(first == std::string_view::npos ? bytes.size() : first);
  const std::size_t last = bytes.find_last_not_of(' ');
  const auto trailing = static_cast<std::int32_t>(last == std::string_view::npos ? bytes.size() : bytes.size() - 1 - last);
  if (prefixed && range.begin == 0 && leading > 0) --leading;
  const std::int32_t begin = std::min(range.begin + leading, range.end);
  return {begin, std::max(range.end - trailing, begin)};
}

}  // namespace

ByteLevelTokenizer::ByteLevelTokenizer(TokenizerParts parts, Bpe model, ByteLevelOptions options)
    : Tokenizer(std::move(parts)), model_(std::move(model)), options_(options) {}

void ByteLevelTokenizer::encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& options,
                                        std::vector<Token>& out) const {
  const bool prefix = options.add_prefix_space.value_or(options_.add_prefix_space);
  const bool shifted = prefix && text[0] != U' ';
  std::u32string prefixed;
  if (shifted) {
    prefixed = U' ';
    prefixed += text;
    text = prefixed;
  }
  Bpe::Scratch scratch;
  std::string bytes;
  std::vector<std::int32_t> sources;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(text, begin);
    bytes.clear();
    sources.clear();
    for (std::size_t i = begin; i < end; ++i) {
      append_utf8(text[i], bytes);
      // an added space has the place of the first character
      const auto index = static_cast<std::int32_t>(shifted && i > 0 ? i - 1 : i);
      sources.resize(bytes.size(), base + index);
    }
    for (const auto& [id, first, last] : model_.segment(bytes, scratch)) {
      CharRange range = {sources[first], sources[last - 1] + 1};
      if (options_.trim_offsets) range = trimmed(range, std::string_view(bytes).substr(first, last - first), prefix);
      out.push_back({id, range});
    }
    begin = end;
  }
}

std::string ByteLevelTokenizer::join(std::span<const std::string_view> tokens) const {
  std::string out;
  for (const std::string_view token : tokens) out += bytes_of_token(token);
  return out;
}

}  // namespace preamble
