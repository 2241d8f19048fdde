// How alike tasks are, by the prompts that learned them (Vu et al. 2022, SPoT, section 4).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace preamble {

/// The two measures of SPoT for prompts [P, D] and [Q, D]:
///   average    cos(mean of the rows of one, mean of the rows of the other)
///   per_token  Σ_i Σ_j cos(row i, row j) / (P·Q)
struct PromptSimilarity {
  double average = 0, per_token = 0;
};
/// Throws ShapeError for different widths.
[[nodiscard]] PromptSimilarity similarity_of(const Tensor& one, const Tensor& other);

/// The similarities of all pairs of prompts, each N·N numbers.
struct SimilarityTable {
  std::vector<std::string> names;
  std::vector<double> average, per_token;
};

/// Of the prompts in adapter folders, named as their folders; names that come twice are numbered. Throws FileError, UnsupportedError for a
/// prefix, ShapeError for different widths, ConfigError for fewer than two.
[[nodiscard]] SimilarityTable similarity_of(const std::vector<std::filesystem::path>& adapters);

/// The used rows of the prompt in a folder [P, D], whatever its layout. Throws FileError, UnsupportedError for a prefix.
[[nodiscard]] Tensor prompt_rows(const std::filesystem::path& adapter);

}  // namespace preamble
