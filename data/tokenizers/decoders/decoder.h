// How tokens become text again: the `decoder` of a tokenizer.json.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/pattern.h"

namespace preamble {

/// A decoder. Const and safe to call from several threads.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  /// Rewrites tokens, in the vocabulary's spelling at first; what is left is joined without anything between.
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};

/// `ByteLevel`: printable characters back to bytes. A token with another character is taken as it is.
class ByteLevelDecoder final : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

/// `WordPiece`: the marks of continued words go, and spaces come between words. With `cleanup` none before `. ? ! ,` and contractions.
class WordPieceDecoder final : public TokenDecoder {
 public:
  WordPieceDecoder(std::string continuation, bool cleanup) : continuation_(std::move(continuation)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string continuation_;
  bool cleanup_;
};

/// `Metaspace`: marks become spaces, those of the first token vanish if a mark was put in front.
class MetaspaceDecoder final : public TokenDecoder {
 public:
  MetaspaceDecoder(std::string replacement, bool prepended) : replacement_(std::move(replacement)), prepended_(prepended) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string replacement_;
  bool prepended_;
};

/// `BPEDecoder`: the suffix of words becomes a space, that of the last token vanishes.
class SuffixDecoder final : public TokenDecoder {
 public:
  explicit SuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string suffix_;
};

/// `ByteFallback`: a run of tokens `<0xHH>` becomes its text, or U+FFFD for each if it is not UTF-8.
class ByteFallbackDecoder final : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

/// `Fuse`: all tokens become one.
class FuseDecoder final : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

/// `Strip`: removes up to `start` times `content` from the beginning of each token, and up to `stop` times from its end.
class StripDecoder final : public TokenDecoder {
 public:
  StripDecoder(std::string content, std::size_t start, std::size_t stop) : content_(std::move(content)), start_(start), stop_(stop) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string content_;
  std::size_t start_, stop_;
};

/// `Replace`: matches of a pattern become `content`.
class ReplaceDecoder final : public TokenDecoder {
 public:
  ReplaceDecoder(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  Pattern pattern_;
  std::string content_;
};

/// `Sequence`
class DecoderSequence final : public TokenDecoder {
 public:
  explicit DecoderSequence(std::vector<std::unique_ptr<TokenDecoder>> parts) : parts_(std::move(parts)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::vector<std::unique_ptr<TokenDecoder>> parts_;
};

/// The decoder that a `decoder` object describes; null for null: tokens are joined by spaces. Throws UnsupportedError that begins with `origin`
/// and names a kind that is not built in, FileError or nlohmann::json::exception for a malformed one.
[[nodiscard]] std::unique_ptr<TokenDecoder> read_decoder(const nlohmann::json& value, std::string_view origin);

}  // namespace preamble
