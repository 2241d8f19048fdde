// Text generation over whole rows of scores, written for reading: every token of every row has a score, each rule is its definition, and
// nothing is chosen before all rules have been applied.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "models/generate/beams.h"
#include "models/generate/search.h"
#include "models/generate/select.h"
#include "tests/models/generate/toy_decoder.h"

namespace preamble::testing {

class DenseSearch {
 public:
  using Tokens = std::vector<std::int32_t>;
  using Row = std::vector<float>;

  DenseSearch(const ToyModel& model, const GenerationConfig& config) : model_(model), config_(config) {
    (void)scored_.prepare({.log_probabilities = config.num_beams > 1});
  }

  [[nodiscard]] std::vector<Tokens> run(std::span<const Tokens> prompts) {
    std::vector<std::uint64_t> streams(prompts.size());
    std::iota(streams.begin(), streams.end(), std::uint64_t{0});
    const SearchInput input{config_, prompts, streams};
    std::vector<Tokens> found;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (config_.num_beams > 1) {
        for (auto& ids : beams(prompts[i], input.random(i, 0))) found.push_back(std::move(ids));
        continue;
      }
      for (int k = 0; k < config_.num_return_sequences; ++k) found.push_back(tokens(prompts[i], input.random(i, static_cast<std::size_t>(k))));
    }
    return found;
  }

 private:
  static constexpr float kNever = -std::numeric_limits<float>::infinity();

  [[nodiscard]] Tokens tokens(const Tokens& prompt, Random random) {
    Tokens ids = prompt;
    do {
      const Row row = processed(ids, prompt.size());
      const auto best = static_cast<std::int64_t>(std::ranges::max_element(row) - row.begin());
      ids.push_back(static_cast<std::int32_t>(config_.do_sample ? sample(row, random) : best));
    } while (!is_end(ids.back()) && std::ssize(ids) < length_limit(config_, std::ssize(prompt)));
    return ids;
  }

  [[nodiscard]] std::vector<Tokens> beams(const Tokens& prompt, Random random) {
    Beams beams(config_, prompt);
    while (!beams.done()) {
      Row all;
      for (std::size_t b = 0; b < beams.count(); ++b) {
        const auto ids = beams.ids(b);
        for (const float score : processed({ids.begin(), ids.end()}, prompt.size())) all.push_back(score + beams.score(b));
      }
      const auto count = static_cast<std::size_t>(candidate_count(config_));
      std::vector<Candidate> candidates;
      if (config_.do_sample) {
        Row weights;
        sample_distinct(all, count, random, candidates, weights);
      } else {
        for (std::size_t i = 0; i < all.size(); ++i) candidates.push_back({all[i], static_cast<std::int64_t>(i)});
        std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
        candidates.resize(count);
      }
      beams.advance(candidates, model_.vocabulary);
    }
    return beams.best(static_cast<std::size_t>(config_.num_return_sequences));
  }

  /// Logits, or log-probabilities, of all tokens.
  [[nodiscard]] Row scores(const Tokens& ids) {
    Row row = model_.logits(ids);
    if (config_.num_beams == 1) return row;
    const ScoreRows sums = scored_.score(row, model_.vocabulary, {});
    for (float& x : row) x = x - sums.largest[0] - sums.log_sum[0];
    return row;
  }

  [[nodiscard]] bool is_end(std::int32_t token) const { return std::ranges::count(config_.eos_token_ids, token) > 0; }

  /// Would `token` behind these ids complete an n-gram that stands in them?
  [[nodiscard]] static bool repeats(Tokens ids, std::int32_t token, std::size_t n) {
    ids.push_back(token);
    if (ids.size() < n) return false;
    const auto last = std::span(ids).last(n);
    return std::ranges::search(std::span(ids).first(ids.size() - 1), last).size() == n;
  }

  /// Would `token` behind these ids complete the word? A word that is longer than the ids is not looked for.
  [[nodiscard]] bool completes(Tokens ids, std::int32_t token, const Tokens& word) const {
    if (word.size() == 1) return word[0] == token && !is_end(token);
    if (word.size() > ids.size()) return false;
    ids.push_back(token);
    return std::ranges::equal(std::span(ids).last(word.size()), word);
  }

  [[nodiscard]] Row processed(const Tokens& ids, std::size_t prompt_length) {
    const auto length = static_cast<std::int64_t>(prompt_length);
    Row row = scores(ids);
    const auto each = [&](const auto& rule) {
      for (std::int32_t v = 0; v < model_.vocabulary; ++v) rule(v, row[static_cast<std::size_t>(v)]);
    };
    const auto ban_if = [&](const auto& is_banned) {
      each([&](std::int32_t v, float& score) {
        if (is_banned(v)) score = kNever;
      });
    };
    const auto force = [&](std::int32_t token) { each([&](std::int32_t v, float& score) { score = v == token ? 0 : kNever; }); };
    const auto penalty = static_cast<float>(config_.repetition_penalty);
    if (penalty != 1) {
      each([&](std::int32_t v, float& score) {
        if (std::ranges::count(ids, v) > 0) score = score < 0 ? score * penalty : score / penalty;
      });
    }
    const auto n = static_cast<std::size_t>(config_.no_repeat_ngram_size);
    if (n > 0) ban_if([&](std::int32_t v) { return repeats(ids, v, n); });
    ban_if([&](std::int32_t v) { return std::ranges::any_of(config_.bad_words_ids, [&](const Tokens& word) { return completes(ids, v, word); }); });
    if (std::ssize(ids) < length_floor(config_, length)) ban_if([&](std::int32_t v) { return is_end(v); });
    if (config_.forced_bos_token_id && ids.size() == 1) force(*config_.forced_bos_token_id);
    if (config_.forced_eos_token_id && std::ssize(ids) == length_limit(config_, length) - 1) force(*config_.forced_eos_token_id);
    ban_if([&](std::int32_t v) { return std::ranges::count(config_.suppress_tokens, v) > 0; });
    if (config_.do_sample) warp(row);
    return row;
  }

  /// Temperature, top-k, top-p.
  void warp(Row& row) const {
    const std::size_t keep = config_.num_beams == 1 ? 1 : 1 + std::max<std::size_t>(1, config_.eos_token_ids.size());
    for (float& x : row) x /= static_cast<float>(config_.temperature);
    Row sorted = row;
    std::ranges::sort(sorted, std::greater<>());
    const std::size_t k = std::max(static_cast<std::size_t>(config_.top_k), keep);
    if (config_.top_k > 0 && k < row.size()) {
      for (float& x : row) x = x < sorted[k - 1] ? kNever : x;
    }
    if (config_.top_p >= 1) return;
    // from the least probable on, of equal ones the first, as long as what is removed weighs at most 1 - p
    std::vector<Candidate> order;
    double total = 0;
    for (std::size_t v = 0; v < row.size(); ++v) {
      if (row[v] == kNever) continue;
      order.push_back({row[v], static_cast<std::int64_t>(v)});
      total += static_cast<double>(std::exp(row[v] - sorted[0]));
    }
    std::ranges::stable_sort(order, [](const Candidate& a, const Candidate& b) { return a.score < b.score; });
    double removed = 0;
    for (std::size_t i = 0; i + keep < order.size(); ++i) {
      removed += static_cast<double>(std::exp(order[i].score - sorted[0])) / total;
      // float, as in transformers: probabilities that add up to 1 - p exactly are removed
      if (static_cast<float>(removed) > static_cast<float>(1 - config_.top_p)) break;
      row[static_cast<std::size_t>(order[i].index)] = kNever;
    }
  }

  const ToyModel& model_;
  const GenerationConfig& config_;
  ScoredLogits scored_;
};

}  // namespace preamble::testing
