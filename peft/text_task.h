// What is asked of a model, in text: how rows become inputs and targets. Kept beside an adapter so that it can be used
// without giving it all again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/examples.h"
#include "data/table.h"
#include "data/tokenizers/tokenizer.h"
#include "models/language_model.h"

namespace preamble {

struct TextTask {
  /// Name of the file beside an adapter.
  static constexpr const char* kFile = "preamble_task.json";

  /// Name of a task that `named_task` knows: how files are read and predictions scored; empty: tables and templates.
  std::string name = {};
  /// Template of the input, as `sentence: {sentence}`.
  std::string input = {};
  /// Template of the target; empty if `labels` are given, or for input without targets.
  std::string target = {};
  /// Label words as `0=negative,1=positive`; the value is that of `label_column`.
  std::string labels = {};
  std::string label_column = "label";
  /// Text between source and target, which a decoder-only model reads as one sequence; absent for an encoder-decoder. A space at its
  /// end belongs to the target, because tokens of words hold the space in front of them.
  std::optional<std::string> separator = std::nullopt;
  /// The target is the text of the blank that the input holds (GLM); set by the model.
  bool blanks = false;
  std::int64_t max_source_length = 512;
  std::int64_t max_target_length = 128;

  /// Names of the tasks that a prompt was trained on together; the other fields but the lengths and the separator are then empty.
  std::vector<std::string> mixture = {};
  /// The input holds an instruction or examples, and there is no adapter; see `with_text_prompt`.
  bool text_prompt = false;
  /// Likelihoods of classes are divided by those of an empty input.
  bool calibrated = false;

  [[nodiscard]] bool classifies() const noexcept { return !labels.empty(); }

  /// FOLDER/preamble_task.json, if it is there and speaks of texts. Throws FileError.
  [[nodiscard]] static std::optional<TextTask> read(const std::filesystem::path& folder);
  void write(const std::filesystem::path& folder) const;
};

/// Ids of a text without special tokens.
[[nodiscard]] Tokenize tokenize_with(const Tokenizer& tokenizer);

/// Fills in what the model's family decides: a decoder-only model whose task has no separator gets a space, the token that begins texts
/// (GPT-2: `<|endoftext|>`) and a space (Li and Liang 2021); the input of a model that fills blanks gets one at its end if it has none. Throws
/// ConfigError for a separator with another model than a decoder-only one.
void fit_to_model(TextTask& task, const LanguageModel& model, const Tokenizer& tokenizer);

/// A template that holds a blank: as given, or with the vocabulary's mask for a text to the end, else for a short one, behind it. Throws
/// ConfigError for a vocabulary without masks.
[[nodiscard]] std::string with_blank(const std::string& input, const Tokenizer& tokenizer);

/// The examples of a table's rows. Sources and targets stand between the special tokens that the tokenizer puts around a text (its
/// post-processor); a target ends with the end token even if the tokenizer writes none. With a separator source and target are one sequence:
/// the source begins as a text and ends with the separator, the target ends as a text. Rows need no labels or targets if
/// `with_targets` is false. Throws as `make_examples`.
[[nodiscard]] std::vector<Example> examples_of(const TextTask& task, const Table& table, const Tokenizer& tokenizer, bool with_targets,
                                               TruncationReport& report);

/// A generated text as an answer: behind a separator without white space at its ends.
[[nodiscard]] std::string answer_of(const TextTask& task, const std::string& generated);

/// Ids of a target with this text, as `examples_of` makes them.
[[nodiscard]] std::vector<std::int32_t> target_of(const TextTask& task, const Tokenizer& tokenizer, std::string_view text);

/// Target ids of each class, as `examples_of` makes them. Throws ConfigError if a word has no tokens or an unknown one.
[[nodiscard]] std::vector<std::vector<std::int32_t>> label_targets(const TextTask& task, const Tokenizer& tokenizer);

}  // namespace preamble
