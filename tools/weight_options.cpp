#include "tools/weight_options.h"

#include <algorithm>
#include <string_view>

#include <fmt/ranges.h>
#include <fnmatch.h>

#include "models/weight_type.h"

namespace preamble {
namespace {

constexpr std::string_view kStored = "stored";

std::vector<std::string> names() {
  std::vector<std::string> all = weight_type_names();
  all.emplace_back(kStored);
  return all;
}

}  // namespace

void WeightOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--weights", weights,
          "how frozen matrices are held: f32; bf16; int8 with a scale for each output channel; nf4 or int4, 4 bits with a scale for "
          "each 64 or 32 elements (nf4-32, nf4-64, int4-32, int4-64 choose); stored: in the type of the checkpoint. A checkpoint that "
          "is quantised stays so in any case")
      ->check(CLI::IsMember(names()))
      ->capture_default_str();
  command
      .add_option("--keep-in-f32", in_f32,
                  "name, or pattern with * and ?, of matrices that are held in f32 all the same, such as '*embed*'; may be given again")
      ->allow_extra_args(false);
}

Parameters::Options WeightOptions::parameters() const {
  Parameters::Options options;
  options.as_stored = weights == kStored;
  if (!options.as_stored) options.weights = weight_type_of(weights);
  if (in_f32.empty()) return options;
  options.in_f32 = [patterns = in_f32](std::string_view name) {
    const std::string text(name);
    return std::ranges::any_of(patterns, [&](const auto& pattern) { return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0; });
  };
  return options;
}

std::string WeightOptions::description() const {
  return in_f32.empty() ? weights : fmt::format("{}, in f32: {}", weights, fmt::join(in_f32, " "));
}

}  // namespace preamble
