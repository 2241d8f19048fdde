// `preamble inspect`: what an adapter folder holds, and which words its prompt lies close to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "peft/prompt_report.h"

namespace preamble {

struct InspectArguments {
  std::filesystem::path adapter;
  /// Adds the adapter's share of all parameters, the norms of the vocabulary and the neighbours of each row.
  std::optional<std::filesystem::path> model;
  std::int64_t neighbours = 5;  ///< 0: none
  bool json = false;            ///< one object on standard output
  std::optional<std::filesystem::path> report;  ///< page that gets an analysis; wants `model`
  ReportOptions report_options;                 ///< `neighbours` is that above
};

/// Runs the command and returns the exit status. What is odd about the folder is reported, not thrown. Throws Error.
int inspect_command(const InspectArguments& arguments);

}  // namespace preamble
