// From questions about a text to what an encoder with an extractive head reads: windows of the text, and answers out of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/squad_json.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// Limits of the windows, named as in transformers' run_qa.
struct SpanRules {
  std::int64_t max_length = 384;
  std::int64_t doc_stride = 128;  ///< tokens of the text that neighbouring windows share
};

/// One window of a question's text, as `question [SEP] window`.
struct SpanWindow {
  /// `begin` and `end`: first and last token of the first answer, or both 0, the place of [CLS], if the window does not hold all of it
  /// or its place is not known.
  Example example;
  std::size_t question = 0;
  std::int32_t first = 0;          ///< place of the text's first token in the window
  std::vector<CharRange> offsets;  ///< of the text's tokens: bytes of the context
};

/// Windows of all questions, in their order. A question that leaves no room for `doc_stride` tokens of the text and one more is cut to half
/// of the window and counted in `report`. Throws ConfigError if the lengths leave no room or the tokenizer has no [CLS] in front.
[[nodiscard]] std::vector<SpanWindow> span_windows(const SquadData& data, const SpanRules& rules, const Tokenizer& tokenizer,
                                                   TruncationReport& report);

/// How an answer is chosen, named as in run_qa.
struct AnswerRules {
  std::int64_t n_best_size = 20;
  std::int64_t max_answer_length = 30;   ///< in tokens
  bool version_2_with_negative = false;  ///< "no answer" competes
  /// No answer if its score is above that of the best text by more than this.
  double null_score_diff_threshold = 0;
};

/// A candidate. The score is the sum of the two logits.
struct SpanCandidate {
  std::string text;
  double score = 0;
  double probability = 0;  ///< softmax over the question's candidates
};

struct SpanAnswer {
  std::string text;  ///< empty: no answer
  /// Best first, at most n_best_size, and the empty text among them under version_2_with_negative.
  std::vector<SpanCandidate> candidates;
  /// Score of "no answer" less that of the best text.
  double null_score_diff = 0;
};

/// Logits of the tokens of one window.
struct SpanLogits {
  std::vector<float> start;
  std::vector<float> end;
};

/// The answer of each question from the logits of its windows: the n best starts and ends of each window are paired, pairs outside the
/// text, reversed or too long are left out, and the best of all windows win; the score of "no answer" is that of [CLS], the smallest of
/// all windows (run_qa). Throws ShapeError if logits and windows differ in number or length.
[[nodiscard]] std::vector<SpanAnswer> span_answers(const SquadData& data, const std::vector<SpanWindow>& windows,
                                                   const std::vector<SpanLogits>& logits, const AnswerRules& rules);

/// Texts by the id of their question, as the scoring scripts take them.
[[nodiscard]] std::map<std::string, std::string> predictions_of(const SquadData& data, const std::vector<SpanAnswer>& answers);

}  // namespace preamble
