// What is asked of an encoder with a head: how a file becomes examples, and how predictions are judged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/tokenizer.h"
#include "models/heads/head.h"

namespace preamble {

/// One labelled task. What does not apply to its kind is unused.
struct EncoderTask {
  std::string name = "task";
  HeadKind kind = HeadKind::sequence;
  /// Tokens of an example, special ones included; 0: 384 for answers, else 128.
  std::int64_t max_length = 0;
  /// Chooses the checkpoint; empty: accuracy of classes and of tags that mark no entities, pearson of numbers, f1 of entities and answers.
  std::string metric = {};

  // sequences, and masked language models whose `text` holds the mask

  std::string text = {};  ///< template, as `{sentence}`
  std::string pair = {};  ///< template of the second text; empty: none
  /// `0=negative,1=positive` (see LabelMap); under a masked-LM head the words must be single tokens. Empty: the values of the training
  /// file.
  std::string labels = {};
  std::string label_column = "label";
  bool regression = false;
  /// Name of the SuperGLUE task whose files these are (see superglue_table); gives text, pair, labels and metric.
  std::string superglue = {};

  // sequences and choices

  /// What stands in front of the classifier.
  Pooler pooler = Pooler::automatic;

  // choices: `text`, `labels` (what the label column holds instead of numbers from 0), `label_column` and `superglue` as of sequences

  std::vector<std::string> choices = {};  ///< templates of what may follow the text

  // masked language models

  /// Over what the loss normalises: `vocabulary`, or `labels`: the label words alone, whose logits are all that is computed then.
  std::string verbalizer_loss = "vocabulary";

  // tags: `labels` name them where the file holds numbers, `label_column` is their field in JSON

  std::string layout = "columns";  ///< `columns` of words and tags, or `roles` (CoNLL-U with PropBank columns)
  int word_column = 0;             ///< negative: from the last
  int tag_column = -1;
  std::vector<std::string> tags = {};  ///< empty: those of the training file

  // answers

  std::int64_t doc_stride = 128;
  std::int64_t n_best_size = 20;
  std::int64_t max_answer_length = 30;
  bool version_2_with_negative = false;

  /// Width of the head's logits. Throws ConfigError while labels or tags are not known.
  [[nodiscard]] std::int64_t classes() const;
  /// Names of the classes of sequences or tokens; empty for numbers, choices and answers.
  [[nodiscard]] std::vector<std::string> class_names() const;
  [[nodiscard]] std::int64_t length() const noexcept { return max_length > 0 ? max_length : kind == HeadKind::span ? 384 : 128; }
  [[nodiscard]] std::string chosen_metric() const;
  /// Fills in what the SuperGLUE task says. Throws ConfigError for an unknown one, and for choices of one that has none.
  void apply_superglue();

  /// The tasks beside an adapter, in the order of their heads: FOLDER/preamble_task.json, if it is there and speaks of heads.
  /// Throws FileError.
  [[nodiscard]] static std::optional<std::vector<EncoderTask>> read(const std::filesystem::path& folder);
  static void write(const std::vector<EncoderTask>& tasks, const std::filesystem::path& folder);
};

/// A new head for a task; a masked-LM head is the model's. Throws ConfigError, FileError.
[[nodiscard]] Head make_head(const EncoderTask& task, EncoderModel& model, std::uint64_t seed, std::string names);
/// The head with all logits that predictions of the task read, and no others: a masked-LM head's are those of the label words.
[[nodiscard]] Head predicting_head(const EncoderTask& task, const Head& head, const Tokenizer& tokenizer);
/// The head as its loss reads it: see `EncoderTask::verbalizer_loss`.
[[nodiscard]] Head learning_head(const EncoderTask& task, const Head& head, const Tokenizer& tokenizer);

/// A task of a multi-task file and where its data lies.
struct EncoderTaskFiles {
  EncoderTask task;
  std::filesystem::path train_file;
  std::optional<std::filesystem::path> validation_file;
};

/// Reads `{"tasks": [{"name", "task": "SEQ_CLS", "train_file", "validation_file", ...fields as above}]}`; paths are relative to the
/// file. Throws FileError.
[[nodiscard]] std::vector<EncoderTaskFiles> read_task_files(const std::filesystem::path& path);

}  // namespace preamble
