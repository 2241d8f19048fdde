// An analysis of what an adapter has learned, as facts: what `inspect --report` shows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

struct ReportOptions {
  std::int64_t neighbours = 5;         ///< words shown of each row
  double cluster_threshold = 0.4;      ///< smallest mean cosine of what is one cluster
  std::int64_t prefix_tokens = 5000;   ///< of a prefix: how many first tokens of the vocabulary it is compared with
  std::vector<std::string> words = {};  ///< followed through training; empty: the label words of the adapter's task
  std::uint64_t seed = 0;              ///< of the random vectors that everything is compared with
};

/// The analysis of Lester et al. (2021, section 7), against as many random vectors of the same mean length:
///
///   adapter, model, kind (prompt or prefix), tokens
///   rows        of each row: row, norm, cosine and dot: the nearest words (token, value) by each
///   measures    name and the number of the prompt, of random vectors, and, with copies on the way, of the start: mean largest cosine; share
///               of rows whose nearest word no other row has; mean cosine of the neighbours of a row to each other; mean cosine of rows;
///               clusters
///   clusters    threshold, order (rows, cluster by cluster), cosines (of all pairs in this order), groups (rows, words near their mean)
///   repeated    words that several rows have among their neighbours: token, rows
///   drift       of each copy: step, distance, cosine (see `drift_of`)
///   end         of the adapter itself: distance and cosine, and row_distances
///   words       of each label word: word, and for each copy step, row, cosine, rank (see `closest_row`)
///
/// Copies on the way are the folders checkpoint-N inside the adapter's; the first is where it started. Of a prefix: sites, each with site,
/// layer, keys and values (the words that each row resembles, see `resembled_words`),
/// largest (of keys and of values: the mean over rows of the cosine with the nearest word), random (the same of random rows), drift and end. Throws what reading the folders throws.
[[nodiscard]] nlohmann::ordered_json report_facts(const std::filesystem::path& adapter, const std::filesystem::path& model,
                                                  const ReportOptions& options);

}  // namespace preamble
