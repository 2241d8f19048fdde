// Options that say what is asked of a model: data files, templates, labels.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "data/table.h"
#include "data/tasks/named_task.h"
#include "peft/text_task.h"

namespace preamble {

class TaskOptions {
 public:
  void add_to(CLI::App& app);
  /// The task of the options that were given, over the one kept beside the adapter. Throws ConfigError if there is no
  /// input template in either.
  /// Data sets of fixed columns (`file`'s, or that of --format) need none.
  [[nodiscard]] TextTask task(const std::optional<std::filesystem::path>& adapter, const std::filesystem::path& file) const;
  /// The tasks of the options, for training: one, or those of a mixture. Throws as `task`, and ConfigError for a name given twice.
  [[nodiscard]] std::vector<TextTask> tasks(const std::filesystem::path& file) const;
  /// How tables are read.
  [[nodiscard]] TableOptions table_options() const { return {format_, columns_, language_}; }
  /// Reads a data file in the format that the options say, or as the task that has a name wants it.
  [[nodiscard]] Table load(const TextTask& task, const std::filesystem::path& file, TaskUse use) const;

 private:
  CLI::App* app_ = nullptr;
  TextTask given_;
  std::vector<std::string> names_;
  bool tag_ = false;
  std::string separator_;
  std::string format_;
  std::vector<std::string> columns_;
  std::string language_ = "en";
};

/// A line about what was cut, or nothing if nothing was.
void report_truncation(const std::filesystem::path& file, const TruncationReport& report);

}  // namespace preamble
