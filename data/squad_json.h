// Question answering data in the JSON form of SQuAD 1.1 and 2.0, and as tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// An answer and where it stands: bytes [begin, begin + text.size()) of the context; nothing if its place is not known.
struct SquadAnswer {
  std::string text;
  std::optional<std::size_t> begin = std::nullopt;
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

/// Reads `data[] {title, paragraphs[] {context, qas[] {id, question, answers[] {text, answer_start}}}}`, or a table of questions: JSON
/// lines, a list, or a list under `data` of `{id, title, context, question, answers}`, where `answers` is such a list, `{"text": [...],
/// "answer_start": [...]}`, or absent. Ids may be numbers; a table without ids has the numbers of its rows. Blanks round a question and
/// empty answers are left out; answers of a question that is marked impossible, too.
///
/// `answer_start`, which counts code points, becomes a byte offset (see `answer_place`). Throws FileError that names the file and the place
/// (`data[0].paragraphs[3]...`) for a missing or mistyped value, an id that appears twice, or no question.
[[nodiscard]] SquadData read_squad(const std::filesystem::path& path);

/// Where an answer stands: at character `start`; else where `start` counts UTF-16 units or bytes; else at the nearest place at most 5
/// characters off; else where it stands if that is one place. Nothing if none holds, as for an empty text.
[[nodiscard]] std::optional<std::size_t> answer_place(std::string_view context, std::string_view text, std::optional<std::int64_t> start);

/// Reads predictions `{id: text}`, or rows (JSON lines or a list) with `id` and `prediction` or `prediction_text`. Throws FileError that
/// names the file and the id.
[[nodiscard]] std::map<std::string, std::string> read_squad_predictions(const std::filesystem::path& path);

}  // namespace preamble
