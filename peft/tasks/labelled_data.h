// A data set of a task: examples for the head, and what its logits are worth.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/jsonl.h"
#include "data/table.h"
#include "data/tokenizers/tokenizer.h"
#include "peft/tasks/encoder_task.h"

namespace preamble {

/// Logits [rows, classes] of what carries a label in one example: its first row, that of each choice, its words, all tokens of
/// a window, the mask (of the label words alone).
using HeadLogits = std::vector<float>;

/// Scores by name, 0..1.
using Metrics = std::map<std::string, double>;

/// Probabilities out of logits, of which there is one at least.
[[nodiscard]] std::vector<double> softmax(std::span<const float> logits);

/// How a file of a task is read.
struct LoadOptions {
  TableOptions table = {};
  bool with_labels = true;
  /// Examples are trained on: a tag that the task lacks is an error. Otherwise words with it count as missed, and a remark says so.
  bool training = false;
  std::int32_t head = 0;     ///< which head the examples are for
  std::int64_t samples = 0;  ///< draw so many rows, sentences or questions; 0: all
  std::uint64_t seed = 0;
  /// Of a model that fills blanks: words and choices stand in the blank of the text.
  std::optional<BlankTokens> blanks = {};
  Pooling pooling = Pooling::first_token;  ///< which row heads of sequences read
};

/// Lets examples be what the model reads. Throws ConfigError for a model that fills blanks whose folder names no tokens of pieces.
void set_blanks(LoadOptions& options, const EncoderModel& model);

class LabelledData {
 public:
  LabelledData() = default;
  LabelledData(const LabelledData&) = delete;
  LabelledData& operator=(const LabelledData&) = delete;
  virtual ~LabelledData() = default;

  /// What the head reads. Where labels are not known, what carries one is marked with class 0.
  [[nodiscard]] const std::vector<Example>& examples() const noexcept { return examples_; }
  [[nodiscard]] const TruncationReport& truncation() const noexcept { return truncation_; }
  /// What the user should know about the file; usually empty.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }

  /// Scores of the logits of all examples, in their order. Throws ShapeError if they don't fit.
  [[nodiscard]] virtual Metrics score(std::span<const HeadLogits> logits) const = 0;
  /// Answers: the logits, for each question, of a member [member][example] whose answer is the text that most members give; of equally
  /// often given texts the one with the highest sum of log-probabilities over all members, where a member that does not have a text among
  /// its candidates gives it the probability of its last one. Throws UnsupportedError for data without answers.
  [[nodiscard]] virtual std::vector<HeadLogits> majority(const std::vector<std::vector<HeadLogits>>& members) const;
  /// A JSON object for each row, sentence or question of the file.
  virtual void predict(std::span<const HeadLogits> logits, const JsonSink& sink) const = 0;

 protected:
  /// The largest of `classes` logits from `row` on.
  [[nodiscard]] static std::int32_t best(const HeadLogits& logits, std::size_t row, std::size_t classes);
  /// exp(logits) as shares of their sum.
  /// The table that the options ask for: of a SuperGLUE task as the task's kind reads it.
  [[nodiscard]] static Table table_of(const EncoderTask& task, const std::filesystem::path& path, const LoadOptions& options);
  /// Throws ShapeError unless there are logits for each example.
  void require_all(std::span<const HeadLogits> logits) const;

  std::vector<Example> examples_;
  TruncationReport truncation_;
  std::vector<std::string> remarks_;
};

/// Completes a task by what its training file knows: the labels or tags that were not given. Throws as `load_labelled_data`.
[[nodiscard]] EncoderTask completed(EncoderTask task, const std::filesystem::path& train_file, const TableOptions& table);

/// Reads a file of a completed task. Throws FileError, ConfigError.
[[nodiscard]] std::unique_ptr<LabelledData> load_labelled_data(const EncoderTask& task, const std::filesystem::path& path,
                                                               const Tokenizer& tokenizer, const LoadOptions& options = {});

}  // namespace preamble
