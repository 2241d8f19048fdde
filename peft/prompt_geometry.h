// How rows of a prompt lie to each other and to the vocabulary: what an analysis of prompts counts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/tensor.h"
#include "peft/neighbours.h"

namespace preamble {

/// Cosines of all pairs of rows of a floating matrix [N, D], N·N of them; 0 with a row that has no direction.
[[nodiscard]] std::vector<double> cosine_matrix(const Tensor& rows);

/// Mean of the cosines of different rows; 0 for one row. `cosines`: of `cosine_matrix`.
[[nodiscard]] double mean_off_diagonal(std::span<const double> cosines, std::size_t rows);

/// Rows in groups: the two groups whose mean cosine is the largest become one, as long as it is at least `threshold` (average linkage). The
/// largest group first, numbers within a group ascending.
[[nodiscard]] std::vector<std::vector<std::size_t>> clusters_of(std::span<const double> cosines, std::size_t rows, double threshold);

/// How alike the neighbours of a row are: the mean cosine of their own embeddings, a number for each row; NaN for fewer than two neighbours.
[[nodiscard]] std::vector<double> tightness(const std::vector<std::vector<Neighbour>>& neighbours, const Tensor& embedding);

/// How far rows have gone from where they started.
struct Drift {
  double distance = 0;  ///< mean over rows of ‖p - p₀‖ / ‖p₀‖
  double cosine = 0;    ///< mean over rows of cos(p, p₀)
  std::vector<double> distances = {};  ///< of each row
};
/// Throws ShapeError for other dimensions.
[[nodiscard]] Drift drift_of(const Tensor& start, const Tensor& now);

/// The row that lies closest to a vector [D] by cosine, and how many words of the vocabulary lie closer to that row, plus one.
struct ClosestRow {
  std::int64_t row = 0;
  double cosine = 0;
  std::int64_t rank = 1;
};
[[nodiscard]] ClosestRow closest_row(std::span<const float> vector, const Tensor& prompt, const Tensor& embedding);

/// So many vectors of independent normal numbers, each as long as the rows of `like` are on average [rows(like), D].
[[nodiscard]] Tensor random_like(const Tensor& like, std::uint64_t seed);

}  // namespace preamble
