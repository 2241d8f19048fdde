#include "peft/tasks/labelled_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "data/labels.h"
#include "data/superglue.h"
#include "data/tagged_file.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "peft/tasks/choice_data.h"
#include "peft/tasks/sequence_data.h"
#include "peft/tasks/span_data.h"
#include "peft/tasks/tagging_data.h"

namespace preamble {

std::vector<HeadLogits> LabelledData::majority(const std::vector<std::vector<HeadLogits>>&) const {
  raise<UnsupportedError>("majority of answers: this task has none");
}

std::int32_t LabelledData::best(const HeadLogits& logits, std::size_t row, std::size_t classes) {
  require<ShapeError>((row + 1) * classes <= logits.size(), "logits: {} numbers; wanted {} classes of row {}", logits.size(), classes, row);
  const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row * classes);
  return static_cast<std::int32_t>(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(classes)) - begin);
}

std::vector<double> softmax(std::span<const float> logits) {
  const double top = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  std::vector<double> shares;
  for (const float logit : logits) sum += shares.emplace_back(std::exp(static_cast<double>(logit) - top));
  for (auto& share : shares) share /= sum;
  return shares;
}

void set_blanks(LoadOptions& options, const EncoderModel& model) {
  options.pooling = model.pooling();
  if (model.blanks() != nullptr) options.blanks = model.blanks()->required("task");
}

Table LabelledData::table_of(const EncoderTask& task, const std::filesystem::path& path, const LoadOptions& options) {
  const auto superglue = task.kind == HeadKind::choice ? superglue_choices : superglue_table;
  Table table = task.superglue.empty() ? load_table(path, options.table) : superglue(superglue_task(task.superglue), path);
  return options.samples > 0 ? subsample(table, options.samples, options.seed) : table;
}

void LabelledData::require_all(std::span<const HeadLogits> logits) const {
  require<ShapeError>(logits.size() == examples_.size(), "logits of {} examples; wanted {}", logits.size(), examples_.size());
}

EncoderTask completed(EncoderTask task, const std::filesystem::path& train_file, const TableOptions& options) {
  if (task.kind == HeadKind::tokens && task.tags.empty()) {
    task.tags = task.labels.empty() ? checked_tag_set(sentences_of(task, train_file, options, true), train_file.string()).names()
                                    : LabelMap::parse(task.labels).words();
  }
  const bool classes = (task.kind == HeadKind::sequence && !task.regression) || task.kind == HeadKind::masked_lm;
  if (classes && task.labels.empty()) {
    const Table table = load_table(train_file, options);
    const std::size_t column = table.column(task.label_column);
    std::set<std::string> values;
    for (std::int64_t row = 0; row < table.rows(); ++row) values.insert(LabelMap::canonical(table.text(row, column)));
    constexpr std::size_t kMostClasses = 1000;
    require<FileError>(values.size() <= kMostClasses, "{}: column '{}' has {} different values; wanted labels", train_file.string(),
                       task.label_column, values.size());
    if (values.size() == 1)
      warn(fmt::format("{}: column '{}' holds '{}' in every row; there is nothing to learn", train_file.string(), task.label_column,
                       *values.begin()));
    task.labels = LabelMap::spelled({values.begin(), values.end()});
  }
  return task;
}

std::unique_ptr<LabelledData> load_labelled_data(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer,
                                                 const LoadOptions& options) {
  switch (task.kind) {
    case HeadKind::sequence:
    case HeadKind::masked_lm: return std::make_unique<SequenceData>(task, path, tokenizer, options);
    case HeadKind::choice: return std::make_unique<ChoiceData>(task, path, tokenizer, options);
    case HeadKind::tokens: return std::make_unique<TaggingData>(task, path, tokenizer, options);
    case HeadKind::span: return std::make_unique<SpanData>(task, path, tokenizer, options);
  }
  raise<ConfigError>("task '{}': of no kind", task.name);
}

}  // namespace preamble
