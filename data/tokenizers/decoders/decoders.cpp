#include <algorithm>
#include <charconv>
#include <optional>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/decoders/cleaning.h"
#include "data/tokenizers/decoders/decoder.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view content) {
  if (what.empty()) return;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + content.size())) {
    text.replace(at, what.size(), content);
  }
}

/// The byte of a token `<0xHH>`.
[[nodiscard]] std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  return error == std::errc() && end == token.data() + 5 ? std::optional(static_cast<char>(value)) : std::nullopt;
}

}  // namespace

void ByteLevelDecoder::decode(std::vector<std::string>& tokens) const {
  std::string bytes;
  for (const std::string& token : tokens) bytes += bytes_of_token(token);
  tokens = {repaired_utf8(bytes)};
}

void WordPieceDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i].starts_with(continuation_)) {
      tokens[i].erase(0, continuation_.size());
    } else if (i > 0) {
      tokens[i].insert(0, 1, ' ');
    }
    // a token with the space before it
    if (cleanup_) clean_up_spaces(tokens[i], true);
  }
}

void MetaspaceDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], replacement_, i == 0 && prepended_ ? "" : " ");
}

void SuffixDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
}

void ByteFallbackDecoder::decode(std::vector<std::string>& tokens) const {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (is_utf8(bytes)) {
      if (!bytes.empty()) out.push_back(bytes);
    } else {
      out.insert(out.end(), bytes.size(), "\uFFFD");
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

void FuseDecoder::decode(std::vector<std::string>& tokens) const {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens = {std::move(all)};
}

void StripDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::string& token : tokens) {
    std::size_t begin = 0, end = token.size();
    for (std::size_t i = 0; i < start_ && std::string_view(token).substr(begin).starts_with(content_); ++i) begin += content_.size();
    for (std::size_t i = 0; i < stop_ && std::string_view(token).substr(begin, end - begin).ends_with(content_); ++i) end -= content_.size();
    token = token.substr(begin, end - begin);
  }
}

void ReplaceDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::string& token : tokens) {
    std::string out;
    for (const auto& [range, is_match] : pattern_.pieces(token)) {
      if (is_match) {
        out += content_;
      } else {
        out.append(token, range.begin, range.end - range.begin);
      }
    }
    token = std::move(out);
  }
}

void DecoderSequence::decode(std::vector<std::string>& tokens) const {
  for (const auto& part : parts_) part->decode(tokens);
}

}  // namespace preamble
