// Options that say what is asked of an encoder with a head.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "data/table.h"
#include "peft/tasks/encoder_task.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

class EncoderOptions {
 public:
  void add_to(CLI::App& app);

  /// Whether a task with a head was asked for.
  [[nodiscard]] bool given() const;
  /// Throws ConfigError if an option was given that goes with other kinds of tasks; without a kind (no head, or several tasks in a
  /// file), if any option of one task was.
  void require_fit(std::optional<HeadKind> kind) const;
  /// The task of the options, over `kept` (the one beside an adapter). `text` and so on are those of the text-to-text options.
  [[nodiscard]] EncoderTask task(const std::optional<EncoderTask>& kept) const;
  /// File of a multi-task run, if that was asked for.
  [[nodiscard]] const std::optional<std::filesystem::path>& tasks_file() const noexcept { return tasks_file_; }

 private:
  CLI::App* app_ = nullptr;
  EncoderTask values_;
  std::string task_;
  std::string pooler_ = "auto";
  std::optional<std::filesystem::path> tasks_file_;
};

/// Lines about what was cut and what else there is to know about a file, if anything.
void report_data(const std::filesystem::path& file, const LabelledData& data);

}  // namespace preamble
