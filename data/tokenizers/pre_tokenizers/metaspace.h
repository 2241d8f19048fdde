// SentencePiece's view of spaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"

namespace preamble {

/// `▁`, which begins words in SentencePiece vocabularies.
inline constexpr std::string_view kWordMark = "\u2581";

/// Where `Metaspace` puts its mark in front of a text that does not begin with one.
enum class PrependScheme : std::uint8_t {
  always,  ///< each stretch between added tokens
  first,   ///< only what stands at the very beginning
  never,
};

/// `prepend_scheme` of a Metaspace object, in the new form or, as `add_prefix_space`, in the old one. Throws FileError for another value.
[[nodiscard]] PrependScheme prepend_scheme_of(const nlohmann::json& value, std::string_view origin);

/// `Metaspace`: spaces become `replacement`, one more stands in front as the scheme says, and each begins a piece if `split`.
class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split);
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
  Pattern space_, mark_;
};

}  // namespace preamble
