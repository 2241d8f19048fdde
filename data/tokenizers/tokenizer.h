// Tokenizers of Hugging Face directories: the same ids, offsets and decoded text as transformers gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/aligned_text.h"
#include "data/tokenizers/decoders/decoder.h"
#include "data/tokenizers/encoding.h"
#include "data/tokenizers/models/token_model.h"
#include "data/tokenizers/normalizers/normalizer.h"
#include "data/tokenizers/post_processors/post_processor.h"
#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// Ids of the tokens with a role; absent where the vocabulary has none.
struct SpecialIds {
  std::optional<std::int32_t> pad, eos, bos, unk, cls, sep, mask;
  /// What begins and ends a text for models that generate: bos and eos, else those of the model's `generation_config.json` or `config.json`, else
  /// cls and sep.
  std::optional<std::int32_t> begin, end;
};

/// The special tokens around one text.
struct TextFrame {
  std::vector<std::int32_t> begin, end;
};

/// The components of a tokenizer, as a tokenizer.json names them. Those that are null do nothing; only a model must be there.
struct TokenizerParts {
  Vocabulary vocabulary;
  std::vector<AddedToken> added = {};
  SpecialIds special = {};
  std::unique_ptr<Normalizer> normalizer = nullptr;
  std::unique_ptr<PreTokenizer> pre_tokenizer = nullptr;
  std::unique_ptr<TokenModel> model = nullptr;
  std::unique_ptr<PostProcessor> post_processor = nullptr;
  std::unique_ptr<TokenDecoder> decoder = nullptr;
};

/// A tokenizer: added tokens are found, what lies between is normalised, cut into pieces and segmented by the model, special tokens are put
/// around. Everything is const and safe to call from several threads at once.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerParts parts);

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

  [[nodiscard]] std::optional<std::int32_t> token_to_id(std::string_view token) const { return parts_.vocabulary.find(token); }
  /// The token as the vocabulary writes it (`▁the`, `Ġthe`, `##ing`); absent outside the vocabulary.
  [[nodiscard]] std::optional<std::string_view> id_to_token(std::int32_t id) const;
  /// One above the largest id. A model's embedding may have more rows.
  [[nodiscard]] std::size_t size() const noexcept { return parts_.vocabulary.size(); }
  [[nodiscard]] const SpecialIds& special() const noexcept { return parts_.special; }
  [[nodiscard]] bool is_special(std::int32_t id) const noexcept;
  /// Number of special tokens that `encode` adds to one text or to a pair.
  [[nodiscard]] std::size_t special_count(bool pair) const noexcept;
  /// What `encode` puts around one text.
  [[nodiscard]] const TextFrame& frame() const noexcept { return frame_; }

 private:
  void append_text(std::string_view text, std::int32_t word, std::int32_t sequence, const EncodeOptions& options,
                   std::vector<Token>& out) const;
  void append_stretch(AlignedText text, const EncodeOptions& options, std::vector<Token>& out) const;
  void append_pieces(AlignedText text, const EncodeOptions& options, std::vector<Token>& out) const;
  [[nodiscard]] std::vector<Token> tokens_of(const TextInput& input, std::int32_t sequence, const EncodeOptions& options) const;
  [[nodiscard]] Encoding assemble(std::span<const Token> first, std::optional<std::span<const Token>> second,
                                  const EncodeOptions& options) const;

  TokenizerParts parts_;
  /// Added tokens that are searched for in the raw text, and in the normalised one.
  AddedTokens raw_, normalized_;
  std::vector<std::int32_t> special_ids_;
  /// How added tokens read that are normalised to something else.
  std::map<std::int32_t, std::string> spellings_;
  TextFrame frame_;
};

/// The tokenizer of a Hugging Face directory: `tokenizer.json`, executed as it says, else a SentencePiece model (`spiece.model`, `spm.model`,
/// `sentencepiece.bpe.model`, `tokenizer.model`), else `vocab.json` with `merges.txt`, else `vocab.txt`, with what `tokenizer_config.json`,
/// `special_tokens_map.json`, `added_tokens.json` and `config.json` say. Or of one such file alone.
/// Throws FileError for a file that is missing or malformed, UnsupportedError for a component or a kind of tokenizer that is not built in.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace preamble
