// What is asked of a model, in text: how rows become inputs and targets. Kept beside an adapter so that it can be used
// without giving it all again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/examples.h"
#include "data/table.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

struct TextTask {
  /// Name of the file beside an adapter.
  static constexpr const char* kFile = "preamble_task.json";

  /// Template of the input, as `sentence: {sentence}`.
  std::string input;
  /// Template of the target; empty if `labels` are given, or for input without targets.
  std::string target = {};
  /// Label words as `0=negative,1=positive`; the value is that of `label_column`.
  std::string labels = {};
  std::string label_column = "label";
  std::int64_t max_source_length = 512;
  std::int64_t max_target_length = 128;

  [[nodiscard]] bool classifies() const noexcept { return !labels.empty(); }

  /// FOLDER/preamble_task.json, if it is there. Throws FileError.
  [[nodiscard]] static std::optional<TextTask> read(const std::filesystem::path& folder);
  void write(const std::filesystem::path& folder) const;
};

/// Ids of a text without special tokens.
[[nodiscard]] Tokenize tokenize_with(const Tokenizer& tokenizer);

/// Examples of an encoder-decoder: sources and targets end with the end token. Rows need no labels or targets if
/// `with_targets` is false. Throws as `make_examples`.
[[nodiscard]] std::vector<Example> examples_of(const TextTask& task, const Table& table, const Tokenizer& tokenizer, bool with_targets,
                                               TruncationReport& report);

/// Target ids of each class, end token included. Throws ConfigError if a word has no tokens or an unknown one.
[[nodiscard]] std::vector<std::vector<std::int32_t>> label_targets(const TextTask& task, const Tokenizer& tokenizer);

}  // namespace preamble
