// Counting n-grams of tokens: what BLEU, NIST, ROUGE, CIDEr and chrF share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace preamble::metrics {

/// The tokens of one text; none contains a space.
using Tokens = std::vector<std::string>;

/// How often each n-gram occurs. The key is the tokens joined by single spaces.
using NgramCounts = std::unordered_map<std::string, std::int64_t>;

/// `tokens[first], ..., tokens[first + order - 1]` joined by single spaces.
[[nodiscard]] std::string join_tokens(const Tokens& tokens, std::size_t first, std::size_t order);

/// All tokens joined by single spaces.
[[nodiscard]] std::string join_tokens(const Tokens& tokens);

/// Counts of the max(0, tokens - order + 1) n-grams of one order. `order` is at least 1.
[[nodiscard]] NgramCounts count_ngrams(const Tokens& tokens, std::size_t order);

/// maximum[g] = max(maximum[g], counts[g]) for every n-gram g of `counts`.
void raise_to(NgramCounts& maximum, const NgramCounts& counts);

/// Clipped hits: Σ_g min(counts[g], limit[g]).
[[nodiscard]] std::int64_t clipped_hits(const NgramCounts& counts, const NgramCounts& limit);

/// Σ_g counts[g].
[[nodiscard]] std::int64_t total_count(const NgramCounts& counts);

/// How often g occurs; 0 when it does not.
[[nodiscard]] std::int64_t count_of(const NgramCounts& counts, const std::string& ngram);

}  // namespace preamble::metrics
