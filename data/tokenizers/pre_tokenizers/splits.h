// Pre-tokenizers that cut and change nothing.
#pragma once

#include <cstddef>

#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "data/tokenizers/unicode.h"

namespace preamble {

/// `Split`, and `CharDelimiterSplit`, which is a split at a string that is removed.
class PatternSplit final : public PreTokenizer {
 public:
  /// With `invert` what lies between the matches counts as match.
  PatternSplit(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// `WhitespaceSplit` (white space, removed), `Punctuation`, `Digits`: each character of a class is a match.
class ClassSplit final : public PreTokenizer {
 public:
  ClassSplit(CharClass char_class, SplitBehavior behavior) : class_(char_class), behavior_(behavior) {}
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  CharClass class_;
  SplitBehavior behavior_;
};

/// `Whitespace`: runs of `\w` and runs of what is neither `\w` nor white space.
class WhitespacePreTokenizer final : public PreTokenizer {
 public:
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;
};

/// `FixedLength`: pieces of `length` characters.
class FixedLength final : public PreTokenizer {
 public:
  explicit FixedLength(std::size_t length) : length_(length) {}
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  std::size_t length_;
};

/// `Sequence`: each part cuts what the one before left. `BertPreTokenizer` is one of white space and punctuation.
class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> parts) : parts_(std::move(parts)) {}
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

/// `BertPreTokenizer`
[[nodiscard]] std::unique_ptr<PreTokenizer> bert_pre_tokenizer();

}  // namespace preamble
