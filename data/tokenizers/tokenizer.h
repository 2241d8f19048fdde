// Tokenizers of Hugging Face directories: the same ids, offsets and decoded text as transformers gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/encoding.h"
#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// Ids of the tokens with a role; absent where the vocabulary has none.
struct SpecialIds {
  std::optional<std::int32_t> pad, eos, bos, unk, cls, sep, mask;
};

/// Special tokens around the texts: `before A after`, or `before A between B after`. Those of `after` have the type id of
/// the text that they follow.
struct SpecialLayout {
  std::vector<std::int32_t> before, between, after;
  std::int32_t second_type = 0;
};

/// What all tokenizers have.
struct TokenizerParts {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  SpecialIds special;
  SpecialLayout layout;
};

/// A tokenizer. Everything is const and safe to call from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Tokens of one text, or of a pair (an empty second text counts as none), cut to `max_length`.
  /// Throws ConfigError if the options leave no room.
  [[nodiscard]] Encoding encode(const TextInput& text, const EncodeOptions& options = {}) const;
  [[nodiscard]] Encoding encode(const TextInput& text, const TextInput& pair, const EncodeOptions& options = {}) const;

  /// The text in windows of `max_length` tokens that overlap by `stride` (`return_overflowing_tokens` of transformers). Of a
  /// pair one text is cut, as `truncation` says, and the other one stands whole in every window.
  /// Throws ConfigError if the options leave no room, and for a pair with `longest_first` that is too long.
  [[nodiscard]] std::vector<Encoding> encode_windows(const TextInput& text, const EncodeOptions& options) const;
  [[nodiscard]] std::vector<Encoding> encode_windows(const TextInput& text, const TextInput& pair, const EncodeOptions& options) const;

  /// The text of tokens, always valid UTF-8. Ids outside the vocabulary are left out.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const;

  [[nodiscard]] std::optional<std::int32_t> token_to_id(std::string_view token) const { return vocabulary_.find(token); }
  /// The token as the vocabulary writes it (`▁the`, `Ġthe`, `##ing`); absent outside the vocabulary.
  [[nodiscard]] std::optional<std::string_view> id_to_token(std::int32_t id) const;
  /// One above the largest id. A model's embedding may have more rows.
  [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }
  [[nodiscard]] const SpecialIds& special() const noexcept { return special_; }
  [[nodiscard]] bool is_special(std::int32_t id) const noexcept { return added_.is_special(id); }
  /// Number of special tokens that `encode` adds to one text or to a pair.
  [[nodiscard]] std::size_t special_count(bool pair) const noexcept;

 protected:
  explicit Tokenizer(TokenizerParts parts);
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

 private:
  /// Appends the tokens of a text without added tokens, not empty. Its first character has the offset `base`.
  virtual void encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& options, std::vector<Token>& out) const = 0;
  /// The text of tokens in the vocabulary's spelling; need not be valid UTF-8.
  [[nodiscard]] virtual std::string join(std::span<const std::string_view> tokens) const = 0;

  void append_text(std::string_view text, std::int32_t word, const EncodeOptions& options, std::vector<Token>& out) const;
  [[nodiscard]] std::vector<Token> tokens_of(const TextInput& input, const EncodeOptions& options) const;
  [[nodiscard]] Encoding assemble(std::span<const Token> first, std::optional<std::span<const Token>> second, bool special) const;

  Vocabulary vocabulary_;
  AddedTokens added_;
  SpecialIds special_;
  SpecialLayout layout_;
};

/// The tokenizer of a Hugging Face directory: `tokenizer.json`, else `spiece.model` or `spm.model` (T5, DeBERTa-v2), else
/// `vocab.json` with `merges.txt` (GPT-2, RoBERTa, BART), else `vocab.txt` (BERT), with what `tokenizer_config.json`,
/// `special_tokens_map.json`, `added_tokens.json` and `config.json` say. Or of one such file alone.
/// Throws FileError for a file that is missing or malformed, UnsupportedError for a kind of tokenizer that is not built in.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace preamble
