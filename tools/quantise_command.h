// `preamble quantise`: a model folder with quantised matrices.
#pragma once

#include <filesystem>

#include "tools/weight_options.h"

namespace preamble {

struct QuantiseArguments {
  std::filesystem::path model;
  std::filesystem::path output;
  WeightOptions weights = {};
  bool json = false;
};

/// Writes the folder and prints each matrix's bytes and error.
int quantise_command(const QuantiseArguments& arguments);

}  // namespace preamble
