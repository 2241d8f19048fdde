// `preamble tokenize`: texts of a JSON lines file to tokens.
#pragma once

#include <filesystem>

namespace preamble {

/// The arguments of the command.
struct TokenizeArguments {
  /// A folder or a single file, as `load_tokenizer` takes them.
  std::filesystem::path tokenizer;
  /// One JSON object a line: `text` (a string, or a list of words), optional `pair`, `special` (default true) and `options` with
  /// the names of transformers; or `decode`, a list of ids.
  std::filesystem::path input;
  /// One JSON object a line: `id` as given, `ids`, `decoded`, `offsets`, `type_ids`, `sequence_ids` and `word_ids` (null for an
  /// added special token), or `windows`, a list of such objects; for `decode`: `decoded`.
  std::filesystem::path output;
};

/// Runs the command and returns the exit status. Throws Error (FileError with the line number for a bad line).
int tokenize_command(const TokenizeArguments& arguments);

}  // namespace preamble
