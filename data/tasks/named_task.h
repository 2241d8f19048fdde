// Tasks by name, as T5 casts them (Raffel et al. 2020, appendix D; Lester et al. 2021, section 3): GLUE, SuperGLUE, SQuAD 1.1 and the
// sets of the MRQA 2019 shared task. All of them are text to text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/table.h"

namespace preamble {

/// How predictions of a task are scored; see `score_task`.
enum class TaskMetric : std::uint8_t {
  accuracy,
  f1,           ///< of class 1; what is no class counts as the wrong one (MRPC, QQP)
  macro_f1,     ///< mean over the classes (CB)
  matthews,     ///< CoLA
  pearson,      ///< of the texts read as numbers (STS-B)
  spearman,     ///< the same
  f1a,          ///< F1 of class 1 over all answers (MultiRC)
  group_match,  ///< share of the questions all of whose answers are right (MultiRC)
  exact_match,  ///< SQuAD's rules, the best of all gold answers (ReCoRD, SQuAD, MRQA)
  answer_f1,    ///< the same
  referent      ///< accuracy of "names the referent" (WSC)
};

/// Which rows a table gets where training and evaluation differ.
///   training    WSC: rows whose noun is the referent; ReCoRD: a row for each answer; SQuAD: the first answer is the target
///   evaluation  every question once, with all its answers
enum class TaskUse : std::uint8_t { training, evaluation };

/// A task: how its rows read as text. Columns are those of `load_named_task`.
struct NamedTask {
  std::string name;    ///< superglue/boolq, glue/sst2, squad, mrqa/NAME
  std::string tag;     ///< the first word of T5's own inputs; left out by Lester et al. Empty: T5 has none
  std::string input;   ///< template of the input, without the tag
  std::string labels;  ///< of `LabelMap`, on the column `label`; empty: the target is free text
  std::string target;  ///< template of the target; empty for classes
  std::vector<TaskMetric> metrics;
  std::string folder;  ///< of the benchmark, as its archive unpacks: BoolQ
  std::string training_file, evaluation_file;
};

/// All names, in the order of their benchmarks. `mrqa/NAME` stands for any name.
[[nodiscard]] std::vector<std::string> named_tasks();

/// Throws ConfigError that lists the names.
[[nodiscard]] NamedTask named_task(std::string_view name);

/// Reads a file as the benchmark distributes it (GLUE: TSV; SuperGLUE: JSON lines; SQuAD: its JSON; MRQA: JSON lines), compressed with gzip
/// or not. `path` may also be the folder of the task, or that of the benchmark: the official training or validation file is then read.
///
/// Columns are the features of TFDS that the template names, and
///   label     as the file has it; absent in files without labels
///   target    of tasks with free text: the referent (WSC), an entity (ReCoRD), the first answer (SQuAD, MRQA), the score rounded to the
///             nearest 0.2 (STS-B)
///   answers   list of all gold answers (ReCoRD, SQuAD, MRQA)
///   group     number of the question that a row belongs to (MultiRC, ReCoRD)
///
/// Special rules: MultiRC's `<br>` becomes a space and `<b>`, `</b>` vanish. ReCoRD's highlight marks become a space behind . ? ! " ' and
/// else ". ". WSC's pronoun is put between asterisks; where its place is wrong, the nearest equal word is taken; its spans are those of TFDS's
/// `wsc.fixed`. SQuAD and MRQA have spaces round all ASCII punctuation. Rows of QQP that lack a field are left out, with a warning.
/// Throws FileError (file, line) for what is missing or mistyped, and for a file without rows.
[[nodiscard]] Table load_named_task(const NamedTask& task, const std::filesystem::path& path, TaskUse use);

}  // namespace preamble
