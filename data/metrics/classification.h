// Scores of predicted classes and numbers. All are fractions, not percentages.
#pragma once

#include <cstdint>
#include <span>

namespace preamble::metrics {

// Each function throws ShapeError if predictions and gold labels differ in number, and ConfigError if there are none.

/// Share of predictions equal to their gold label. A prediction of -1 (a text that is no label) is wrong.
[[nodiscard]] double accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold);

/// F1 = 2 TP / (2 TP + FP + FN) of class 1; 0 if class 1 occurs on neither side. A prediction other than 0 and 1 counts as
/// the opposite of its gold label (T5's `f1_score_with_invalid`: MRPC, QQP, MultiRC). Throws ConfigError for a gold label
/// other than 0 and 1.
[[nodiscard]] double binary_f1(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold);

/// Mean of the F1 of classes 0 .. classes-1. A class without instances and predictions counts 0. Throws ConfigError for a gold
/// label outside of the classes; a prediction outside is a miss of its gold class.
[[nodiscard]] double macro_f1(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold, std::int32_t classes);

/// Correlation coefficient of Matthews (1975) for two classes, of Gorodkin (2004) for more:
/// (c s - Σ_k p_k t_k) / sqrt((s² - Σ_k p_k²) (s² - Σ_k t_k²)), with c right of s, p_k predictions and t_k instances of class k.
/// Any number is a class. 0 if the denominator is 0.
[[nodiscard]] double matthews_correlation(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold);

/// Pearson's correlation coefficient. 0 if one side is constant, where it is not defined. Throws ConfigError for NaN and
/// infinities.
[[nodiscard]] double pearson_correlation(std::span<const double> predicted, std::span<const double> gold);

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of their ranks. 0 and errors as there.
[[nodiscard]] double spearman_correlation(std::span<const double> predicted, std::span<const double> gold);

}  // namespace preamble::metrics
