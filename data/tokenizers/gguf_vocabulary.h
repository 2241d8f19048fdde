// The tokenizer of a GGUF file: metadata below `tokenizer.ggml.`
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/gguf.h"
#include "engine/core/error.h"

namespace preamble {

/// What a token is (`tokenizer.ggml.token_type`): SentencePiece's numbers.
enum class GgufTokenType : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

class GgufVocabulary {
 public:
  /// Reads `tokens`. Throws FileError if they are missing.
  explicit GgufVocabulary(const GgufFile& file);

  [[nodiscard]] const std::vector<std::string>& tokens() const noexcept { return tokens_; }
  /// One for each token. Throws FileError for another number of them and for types that there are not.
  [[nodiscard]] std::vector<GgufTokenType> types() const;
  /// One for each token. Throws FileError for another number of them.
  [[nodiscard]] std::vector<float> scores() const;
  /// `general.architecture`; empty if the file does not say.
  [[nodiscard]] std::string architecture() const;
  [[nodiscard]] std::string where() const { return file_.path().string(); }

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The value of a key. Throws FileError if it is missing, unless `absent` is given, and if it has another type.
  template <class T>
  [[nodiscard]] T get(std::string_view key, std::optional<T> absent = {}) const {
    const auto* found = find(key);
    if (found == nullptr && absent) return *absent;
    require<FileError>(found != nullptr, "{}: has no 'tokenizer.ggml.{}'", where(), key);
    try {
      return found->get<T>();
    } catch (const nlohmann::json::exception& error) {
      raise<FileError>("{}: 'tokenizer.ggml.{}': {}", where(), key, error.what());
    }
  }
  /// The token with a role such as `bos_token_id`; absent if the file does not say which it is. Throws FileError for an id beyond the tokens.
  [[nodiscard]] std::optional<std::size_t> id(std::string_view role) const;

 private:
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;

  const GgufFile& file_;
  std::vector<std::string> tokens_;
};

/// tokenizer.json of byte-level BPE: words as `tokenizer.ggml.pre` splits them, merges, control and user-defined tokens as added ones, and the
/// tokens around a text. Throws UnsupportedError for a `pre` that is not known.
[[nodiscard]] nlohmann::ordered_json gguf_byte_level(const GgufVocabulary& vocabulary);

/// A SentencePiece model, as its file holds it, and how many tokens `<extra_id_0>`, ... stood behind its pieces.
struct SentencePieceFile {
  std::string bytes;
  std::size_t extra_ids = 0;
};

/// Unigram (`t5`) or BPE (`llama`) with the file's pieces, scores and types. Throws FileError for lists of different lengths, UnsupportedError
/// for a BPE whose scores say nothing of the order of merges.
[[nodiscard]] SentencePieceFile gguf_sentencepiece(const GgufVocabulary& vocabulary, bool bpe);

}  // namespace preamble
