// Readers of the benchmarks' files: each fills the columns that `load_named_task` promises.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/table.h"
#include "data/tasks/named_task.h"

namespace preamble {

/// Collects rows of named fields.
class RowBuilder {
 public:
  explicit RowBuilder(Table& table) : table_(table) {}

  RowBuilder& text(std::string_view column, std::string value);
  RowBuilder& number(std::string_view column, std::int64_t value);
  RowBuilder& list(std::string_view column, std::span<const std::string> values);
  void end_row(std::int64_t line);

 private:
  Table& table_;
  std::vector<Cell> cells_;
};

/// A column of a GLUE file, by the names it has there, and what it is called here.
struct GlueColumn {
  std::vector<std::string> names;
  std::string column;
};

/// The layout of a GLUE task's files.
struct GlueLayout {
  std::vector<GlueColumn> columns;
  std::string label;  ///< name of the label's column there
  /// Columns of files without a header line (CoLA's): a file whose first line is none of `columns`.
  std::vector<std::string> without_header = {};
  bool skips_broken_rows = false;
  bool is_score = false;  ///< STS-B: the label becomes the column `target`
};

void read_glue(Table& table, const GlueLayout& layout, const std::filesystem::path& path);
/// `task`: boolq, cb, copa, multirc, record, rte, wic, wsc, axb or axg.
void read_superglue(Table& table, std::string_view task, const std::filesystem::path& path, TaskUse use);
void read_squad_text(Table& table, const std::filesystem::path& path, TaskUse use);
void read_mrqa_text(Table& table, const std::filesystem::path& path);

/// A score between 0 and 5 as T5 writes it: rounded to the nearest 0.2 in float32, halves to even, one decimal.
[[nodiscard]] std::string stsb_target(float score);

/// Spaces round every ASCII punctuation character, then every run of white space as one space (T5's `pad_punctuation`).
[[nodiscard]] std::string pad_punctuation(std::string_view text);

/// A span of WSC as TFDS's `wsc.fixed` has it, which T5 reads: one that is not in the text gets the case of the word at its place (the number of
/// a word between white space), loses full stops at its end, and has spaces for new lines. What is not in the text even then stays as it is.
[[nodiscard]] std::string fixed_span(std::string_view text, std::size_t place, std::string_view span);

/// WSC's text with the pronoun between asterisks. `place`: its number among the words between single spaces; if another word stands there,
/// the nearest word that is the pronoun, but for case and punctuation behind it, is taken. Throws FileError in the name of `where` if there
/// is none, or if it is the first or last word.
[[nodiscard]] std::string mark_pronoun(std::string_view text, std::size_t place, std::string_view pronoun, std::string_view where);

}  // namespace preamble
