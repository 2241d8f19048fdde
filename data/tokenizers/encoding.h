// What a tokenizer takes and gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace preamble {

/// A text, or a text that is split into words already (`is_split_into_words` of transformers). A view: what it was made
/// from must outlive it. UTF-8; each maximal invalid part counts as one U+FFFD.
class TextInput {
 public:
  TextInput(std::string_view text) : input_(text) {}
  TextInput(const std::string& text) : input_(std::string_view(text)) {}
  TextInput(const char* text) : input_(std::string_view(text)) {}
  TextInput(std::span<const std::string> words) : input_(words) {}
  TextInput(const std::vector<std::string>& words) : input_(std::span<const std::string>(words)) {}

  [[nodiscard]] bool empty() const noexcept {
    return std::visit([](const auto& x) { return x.empty(); }, input_);
  }
  [[nodiscard]] bool is_words() const noexcept { return input_.index() == 1; }
  /// Throws std::bad_variant_access for words.
  [[nodiscard]] std::string_view text() const { return std::get<0>(input_); }
  /// Throws std::bad_variant_access for text.
  [[nodiscard]] std::span<const std::string> words() const { return std::get<1>(input_); }

 private:
  std::variant<std::string_view, std::span<const std::string>> input_;
};

/// Which text gives way when a pair is too long: see `truncated_lengths` in length_limits.h.
enum class Truncation : std::uint8_t { longest_first, only_first, only_second };

/// The names and meanings of transformers, whose `truncation=False` is `max_length` absent here.
struct EncodeOptions {
  bool add_special_tokens = true;
  /// Most tokens of an encoding, special ones included; absent: as many as the text needs.
  std::optional<std::size_t> max_length = std::nullopt;
  Truncation truncation = Truncation::longest_first;
  /// Tokens that neighbouring windows share.
  std::size_t stride = 0;
  /// Overrides the tokenizer's own setting; byte-level BPE only.
  std::optional<bool> add_prefix_space = std::nullopt;
};

/// A half-open range of code points.
struct CharRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  [[nodiscard]] bool operator==(const CharRange&) const = default;
};

/// Tokens of one text or of a pair. All vectors have one entry a token.
struct Encoding {
  std::vector<std::int32_t> ids;
  /// Segment: 1 for the second text and its last special token (BERT), else 0.
  std::vector<std::int32_t> type_ids;
  /// Place in the original text, or in its word if the input is words; [0, 0) for an added special token.
  std::vector<CharRange> offsets;
  /// 0 or 1: the text that the token comes from; -1 for an added special token.
  std::vector<std::int32_t> sequence_ids;
  /// Index of the word that the token comes from if the input is words; else, and for an added special token, -1.
  std::vector<std::int32_t> word_ids;
  /// Tokens of the texts that are not here because of `max_length`.
  std::size_t overflow = 0;

  [[nodiscard]] std::size_t size() const noexcept { return ids.size(); }
  /// True if token `i` was added around the texts (`special_tokens_mask`).
  [[nodiscard]] bool is_special(std::size_t i) const { return sequence_ids.at(i) < 0; }
};

/// A token on its way into an encoding.
struct Token {
  std::int32_t id = 0;
  CharRange offsets = {};
  std::int32_t word = -1;
  std::int32_t type = 0;
  /// The text that it comes from; -1 for an added special token.
  std::int32_t sequence = 0;
  /// White space at its ends, in characters.
  std::int32_t leading_spaces = 0;
  std::int32_t trailing_spaces = 0;
};

}  // namespace preamble
