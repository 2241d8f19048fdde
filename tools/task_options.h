// Options that say what is asked of a model: data files, templates, labels.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "data/table.h"
#include "peft/text_task.h"

namespace preamble {

class TaskOptions {
 public:
  void add_to(CLI::App& app);
  /// The task of the options that were given, over the one kept beside the adapter. Throws ConfigError if there is no
  /// input template in either.
  /// Data sets of fixed columns (`file`'s, or that of --format) need none.
  [[nodiscard]] TextTask task(const std::optional<std::filesystem::path>& adapter, const std::filesystem::path& file) const;
  /// How tables are read.
  [[nodiscard]] TableOptions table_options() const { return {format_, columns_, language_}; }
  /// Reads a data file in the format that the options say.
  [[nodiscard]] Table load(const std::filesystem::path& file) const;

 private:
  CLI::App* app_ = nullptr;
  TextTask given_;
  std::string separator_;
  std::string format_;
  std::vector<std::string> columns_;
  std::string language_ = "en";
};

/// A line about what was cut, or nothing if nothing was.
void report_truncation(const std::filesystem::path& file, const TruncationReport& report);

}  // namespace preamble
