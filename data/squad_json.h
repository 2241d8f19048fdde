// Question answering data in the JSON form of SQuAD 1.1 and 2.0.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace preamble {

/// An answer and where it stands: bytes [begin, begin + text.size()) of the context.
struct SquadAnswer {
  std::string text;
  std::size_t begin = 0;
};

/// A question. `answers` is empty for a test set and for a question without an answer (SQuAD 2.0).
struct SquadQuestion {
  std::string id;
  std::string question;
  std::vector<SquadAnswer> answers;
  bool impossible = false;
  std::size_t paragraph = 0;  ///< index in `SquadData::paragraphs`
};

/// A text about which questions are asked.
struct SquadParagraph {
  std::string title;
  std::string context;
};

/// A whole file.
struct SquadData {
  std::vector<SquadParagraph> paragraphs;
  std::vector<SquadQuestion> questions;
};

/// Reads `data[] {title, paragraphs[] {context, qas[] {id, question, answers[] {text, answer_start}}}}`. `answer_start`, which
/// counts code points, becomes a byte offset. Throws FileError that names the file and the place (`data[0].paragraphs[3]...`) for
/// a missing or mistyped value, an answer that does not stand where it is said to, an id that appears twice, or no question.
[[nodiscard]] SquadData read_squad(const std::filesystem::path& path);

/// Reads predictions `{id: text}`. Throws FileError that names the file and the id.
[[nodiscard]] std::map<std::string, std::string> read_squad_predictions(const std::filesystem::path& path);

}  // namespace preamble
