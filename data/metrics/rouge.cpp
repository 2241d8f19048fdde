#include "data/metrics/rouge.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "data/metrics/caption_tokens.h"
#include "data/metrics/lcs.h"
#include "data/metrics/porter_stemmer.h"
#include "data/metrics/text.h"

namespace preamble::metrics {
namespace {

double ratio(std::size_t part, std::size_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

RougeScore from_hits(std::size_t hits, std::size_t candidate, std::size_t reference) {
  RougeScore score;
  score.precision = ratio(hits, std::max<std::size_t>(candidate, 1));
  score.recall = ratio(hits, std::max<std::size_t>(reference, 1));
  const double sum = score.precision + score.recall;
  score.f1 = sum > 0.0 ? 2.0 * score.precision * score.recall / sum : 0.0;
  return score;
}

RougeScore rouge_n(const Tokens& reference, const Tokens& candidate, std::size_t order) {
  const NgramCounts wanted = count_ngrams(reference, order);
  const NgramCounts got = count_ngrams(candidate, order);
  return from_hits(static_cast<std::size_t>(clipped_hits(got, wanted)), static_cast<std::size_t>(total_count(got)),
                   static_cast<std::size_t>(total_count(wanted)));
}

std::vector<Tokens> sentences(std::string_view text, RougeStemming stemming) {
  std::vector<Tokens> tokens;
  for (const std::string& line : split_at(text, '\n')) {
    if (!line.empty()) tokens.push_back(rouge_tokens(line, stemming));
  }
  return tokens;
}

NgramCounts count_tokens(const std::vector<Tokens>& texts) {
  NgramCounts counts;
  for (const Tokens& tokens : texts) {
    for (const std::string& token : tokens) ++counts[token];
  }
  return counts;
}

RougeScore rouge_lsum(const std::vector<Tokens>& reference, const std::vector<Tokens>& candidate) {
  NgramCounts left_in_reference = count_tokens(reference);
  NgramCounts left_in_candidate = count_tokens(candidate);
  const auto wanted = static_cast<std::size_t>(total_count(left_in_reference));
  const auto got = static_cast<std::size_t>(total_count(left_in_candidate));
  std::size_t hits = 0;
  for (const Tokens& sentence : reference) {
    std::set<std::size_t> positions;
    for (const Tokens& other : candidate) {
      const auto common = lcs_positions(sentence, other);
      positions.insert(common.begin(), common.end());
    }
    for (const std::size_t position : positions) {
      auto& in_reference = left_in_reference[sentence[position]];
      auto& in_candidate = left_in_candidate[sentence[position]];
      if (in_reference <= 0 || in_candidate <= 0) continue;
      ++hits;
      --in_reference;
      --in_candidate;
    }
  }
  return from_hits(hits, got, wanted);
}

void keep_better(RougeScore& best, const RougeScore& score) {
  if (score.f1 > best.f1) best = score;
}

void add(RougeScore& sum, const RougeScore& score) {
  sum.precision += score.precision;
  sum.recall += score.recall;
  sum.f1 += score.f1;
}

void divide(RougeScore& sum, std::size_t count) {
  for (double* part : {&sum.precision, &sum.recall, &sum.f1}) *part /= static_cast<double>(count);
}

std::set<std::string> ngram_set(const Tokens& tokens, std::size_t order) {
  std::set<std::string> ngrams;
  for (std::size_t first = 0; first + order <= tokens.size(); ++first) ngrams.insert(join_tokens(tokens, first, order));
  return ngrams;
}

RougeScore package_rouge_n(const Tokens& reference, const Tokens& candidate, std::size_t order) {
  const auto wanted = ngram_set(reference, order);
  const auto got = ngram_set(candidate, order);
  const auto shared =
      static_cast<std::size_t>(std::count_if(got.begin(), got.end(), [&](const auto& ngram) { return wanted.contains(ngram); }));
  RougeScore score;
  if (!got.empty()) score.precision = ratio(shared, got.size());
  if (!wanted.empty()) score.recall = ratio(shared, wanted.size());
  score.f1 = 2.0 * score.precision * score.recall / (score.precision + score.recall + 1e-8);
  return score;
}

}  // namespace

Tokens rouge_tokens(std::string_view text, RougeStemming stemming) {
  std::string line = lowered(text);
  for (char& c : line) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) c = ' ';
  }
  Tokens tokens = split_whitespace(line);
  if (stemming == RougeStemming::none) return tokens;
  const PorterVariant variant = stemming == RougeStemming::nltk ? PorterVariant::nltk : PorterVariant::original;
  for (std::string& token : tokens) {
    if (token.size() > 3) token = porter_stem(token, variant);
  }
  return tokens;
}

RougeScores rouge(std::string_view reference, std::string_view candidate, RougeStemming stemming) {
  const Tokens wanted = rouge_tokens(reference, stemming);
  const Tokens got = rouge_tokens(candidate, stemming);
  RougeScores scores;
  scores.rouge1 = rouge_n(wanted, got, 1);
  scores.rouge2 = rouge_n(wanted, got, 2);
  scores.rouge_l = from_hits(lcs_length(wanted, got), got.size(), wanted.size());
  scores.rouge_lsum = rouge_lsum(sentences(reference, stemming), sentences(candidate, stemming));
  return scores;
}

RougeScores rouge(const Corpus& corpus, RougeStemming stemming) {
  require_scorable(corpus, "rouge");
  constexpr RougeScore RougeScores::*kTypes[] = {&RougeScores::rouge1, &RougeScores::rouge2, &RougeScores::rouge_l,
                                                 &RougeScores::rouge_lsum};
  RougeScores mean;
  for (const Instance& instance : corpus) {
    const std::string candidate = replace_all(instance.hypothesis, " . ", " .\n");
    RougeScores best;
    for (const std::string& reference : instance.references) {
      const RougeScores scores = rouge(replace_all(reference, " . ", " .\n"), candidate, stemming);
      for (const auto type : kTypes) keep_better(best.*type, scores.*type);
    }
    for (const auto type : kTypes) add(mean.*type, best.*type);
  }
  for (const auto type : kTypes) divide(mean.*type, corpus.size());
  return mean;
}

double caption_rouge_l(const Corpus& corpus) {
  require_scorable(corpus, "rouge_l");
  constexpr double kBetaSquared = 1.2 * 1.2;
  double sum = 0.0;
  for (const Instance& instance : corpus) {
    // a text without tokens is one empty token, because the original splits at single spaces
    const auto tokens = [](std::string_view text) { return split_at(join_tokens(caption_tokens(text)), ' '); };
    const Tokens candidate = tokens(instance.hypothesis);
    double precision = 0.0;
    double recall = 0.0;
    for (const std::string& text : instance.references) {
      const Tokens reference = tokens(text);
      const std::size_t common = lcs_length(candidate, reference);
      precision = std::max(precision, ratio(common, candidate.size()));
      recall = std::max(recall, ratio(common, reference.size()));
    }
    if (precision != 0.0 && recall != 0.0) sum += (1.0 + kBetaSquared) * precision * recall / (recall + kBetaSquared * precision);
  }
  return sum / static_cast<double>(corpus.size());
}

RougeScores rouge_package(std::string_view reference, std::string_view candidate) {
  const Tokens wanted = split_at(reference, ' ');
  const Tokens got = split_at(candidate, ' ');
  RougeScores scores;
  scores.rouge1 = package_rouge_n(wanted, got, 1);
  scores.rouge2 = package_rouge_n(wanted, got, 2);
  const std::size_t common = lcs_length(wanted, got);
  const double precision = ratio(common, got.size());
  const double recall = ratio(common, wanted.size());
  const double beta = precision / (recall + 1e-12);
  const double f1 = (1.0 + beta * beta) * recall * precision / (recall + beta * beta * precision + 1e-12);
  scores.rouge_l = {precision, recall, f1};
  return scores;
}

}  // namespace preamble::metrics
