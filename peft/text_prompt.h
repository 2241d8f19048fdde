// Prompt design (Brown et al. 2020; the baseline of Lester et al. 2021, figure 1): an instruction and examples in front of the input, in
// text. Nothing is trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/table.h"
#include "peft/text_task.h"

namespace preamble {

/// How the examples in front of an input are chosen.
enum class ShotSelection : std::uint8_t {
  random,   ///< drawn without replacement by the seed
  balanced  ///< drawn so too, from each class in turn; for classes alone
};

struct TextPromptOptions {
  std::string instruction;
  std::int64_t shots = 0;
  ShotSelection selection = ShotSelection::random;
  /// Numbers of the rows to show, from 0, in this order; replaces `shots` and `selection`.
  std::vector<std::int64_t> rows;
  std::uint64_t seed = 0;
  std::string shot_separator = "\n\n";  ///< behind the instruction and behind each example
  std::string answer_separator = "\n";  ///< between an example's input and its answer
  /// Scores of classes are divided by those that they have for an input whose fields are all empty (Zhao et al. 2021).
  bool calibrated = false;
};

/// Rows of `table` that are shown, in the order in which they stand. Throws ConfigError for more than there are, for a row that does not
/// exist, and for balanced classes without classes.
[[nodiscard]] std::vector<std::uint32_t> shot_rows(const TextTask& task, const Table& table, const TextPromptOptions& options);

/// The task with the instruction and the examples in front of its input template: they are its own words then, which no length limit cuts.
/// A decoder-only model that is given no separator gets `answer_separator` (`decoder_only`), so that the input reads as the examples do.
/// Throws as `shot_rows` and `BoundTemplate::render`.
[[nodiscard]] TextTask with_text_prompt(TextTask task, const Table& table, const TextPromptOptions& options, bool decoder_only);

/// Whether a folder holds a task without an adapter: `TextTask` with `text_prompt`.
[[nodiscard]] bool is_text_prompt(const std::filesystem::path& folder);

/// An input whose fields are all empty. Throws as `examples_of`.
[[nodiscard]] Example empty_input(const TextTask& task, const Tokenizer& tokenizer);

}  // namespace preamble
