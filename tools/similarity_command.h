// `preamble similarity`: how alike tasks are, by their prompts.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace preamble {

struct SimilarityArguments {
  std::vector<std::filesystem::path> adapters;
  std::optional<std::filesystem::path> csv;  ///< gets a line for each pair
  std::optional<std::filesystem::path> svg;  ///< gets a heat map of the cosines of average rows
  bool json = false;                         ///< one object on standard output
};

/// Runs the command and returns the exit status. Throws Error.
int similarity_command(const SimilarityArguments& arguments);

}  // namespace preamble
