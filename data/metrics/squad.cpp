#include "data/metrics/squad.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "data/metrics/ngrams.h"
#include "data/metrics/text.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

bool is_answer_punctuation(char32_t c) noexcept {
  return (c >= U'!' && c <= U'/') || (c >= U':' && c <= U'@') || (c >= U'[' && c <= U'`') || (c >= U'{' && c <= U'~');
}

/// `\w` of Python, but for the underscore, which is punctuation and gone by then.
bool is_word_char(char32_t c) noexcept { return is(CharClass::byte_level_letter, c) || is(CharClass::byte_level_number, c); }

bool is_article(std::u32string_view word) noexcept { return word == U"a" || word == U"an" || word == U"the"; }

Tokens answer_tokens(std::string_view text) {
  std::u32string kept = lowered(decode_utf8(text));
  std::erase_if(kept, is_answer_punctuation);
  // a word ends where \b matches: "the-" has lost its hyphen by now, but "the—" still holds the article
  std::u32string without;
  for (std::size_t i = 0; i < kept.size();) {
    const auto begin = kept.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = std::find_if_not(begin, kept.end(), is_word_char);
    if (begin == end) {
      without += kept[i++];
      continue;
    }
    const std::u32string_view word(&*begin, static_cast<std::size_t>(end - begin));
    without += is_article(word) ? std::u32string_view(U" ") : word;
    i += word.size();
  }
  return split_whitespace(std::u32string_view(without));
}

double f1_of(const Tokens& prediction, const Tokens& gold, SquadRules rules) {
  if (rules == SquadRules::v2 && (prediction.empty() || gold.empty())) return prediction == gold ? 1.0 : 0.0;
  const auto common = static_cast<double>(clipped_hits(count_ngrams(prediction, 1), count_ngrams(gold, 1)));
  if (common == 0.0) return 0.0;
  const double precision = common / static_cast<double>(prediction.size());
  const double recall = common / static_cast<double>(gold.size());
  return 2.0 * precision * recall / (precision + recall);
}

}  // namespace

std::string normalize_answer(std::string_view text) { return join_tokens(answer_tokens(text)); }

double exact_match(std::string_view prediction, std::string_view gold) {
  return answer_tokens(prediction) == answer_tokens(gold) ? 1.0 : 0.0;
}

double token_f1(std::string_view prediction, std::string_view gold, SquadRules rules) {
  return f1_of(answer_tokens(prediction), answer_tokens(gold), rules);
}

SquadScores best_over_answers(std::string_view prediction, std::span<const std::string> gold, SquadRules rules) {
  std::vector<Tokens> answers;
  for (const std::string& answer : gold) answers.push_back(answer_tokens(answer));
  if (rules == SquadRules::v2) {
    std::erase_if(answers, [](const Tokens& answer) { return answer.empty(); });
    if (answers.empty()) answers.emplace_back();
  }
  require<ConfigError>(!answers.empty(), "SQuAD scores: no gold answer; wanted at least one");
  const Tokens tokens = answer_tokens(prediction);
  SquadScores best{0.0, 0.0, 1, 0};
  for (const Tokens& answer : answers) {
    best.exact = std::max(best.exact, tokens == answer ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, f1_of(tokens, answer, rules));
  }
  return best;
}

SquadScores squad_scores(const std::vector<SquadQuestion>& questions, const std::map<std::string, std::string>& predictions,
                         SquadRules rules) {
  SquadScores sum;
  for (const SquadQuestion& question : questions) {
    const auto found = predictions.find(question.id);
    const bool missing = found == predictions.end();
    sum.missing += missing ? 1 : 0;
    sum.questions += missing && rules == SquadRules::v2 ? 0 : 1;
    if (missing) continue;
    std::vector<std::string> gold;
    gold.reserve(question.answers.size());
    for (const SquadAnswer& answer : question.answers) gold.push_back(answer.text);
    const SquadScores best = best_over_answers(found->second, gold, rules);
    sum.exact += best.exact;
    sum.f1 += best.f1;
  }
  require<ConfigError>(sum.questions > 0, "SQuAD scores: no question with a prediction; wanted at least one");
  const auto count = static_cast<double>(sum.questions);
  return {100.0 * sum.exact / count, 100.0 * sum.f1 / count, sum.questions, sum.missing};
}

}  // namespace preamble::metrics
