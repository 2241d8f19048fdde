#include "peft/text_prompt.h"

#include <algorithm>
#include <set>
#include <utility>

#include "data/labels.h"
#include "data/template.h"
#include "engine/core/error.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

// keeps the draws apart from other uses of the same seed
constexpr std::uint64_t kStream = 0x7E87000000000000ULL;

std::vector<std::uint32_t> balanced_rows(const TextTask& task, const Table& table, std::span<const std::uint32_t> order,
                                         std::int64_t shots) {
  require<ConfigError>(task.classifies(), "examples of a text prompt, balanced: the task has no classes; wanted random ones");
  const LabelMap map = LabelMap::parse(task.labels);
  const std::size_t column = table.column(task.label_column);
  std::vector<std::vector<std::uint32_t>> of_class(map.classes());
  for (const auto row : order) of_class[static_cast<std::size_t>(map.class_of(table, row, column))].push_back(row);
  std::vector<std::uint32_t> rows;
  for (std::size_t turn = 0; std::ssize(rows) < shots; ++turn) {
    const std::size_t before = rows.size();
    for (const auto& mine : of_class) {
      if (turn < mine.size() && std::ssize(rows) < shots) rows.push_back(mine[turn]);
    }
    require<ConfigError>(rows.size() > before, "examples of a text prompt: {} were asked for; there are {}", shots, rows.size());
  }
  return rows;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '{' || c == '}') result += c;
  }
  return result;
}

/// Answer of a row: its class's word, or the target.
class Answers {
 public:
  Answers(const TextTask& task, const Table& table) : table_(table) {
    if (task.classifies()) {
      map_.emplace(LabelMap::parse(task.labels));
      column_ = table.column(task.label_column);
    } else {
      target_.emplace(Template(task.target), table);
    }
  }
  [[nodiscard]] std::string of(std::int64_t row) const {
    return map_ ? map_->words()[static_cast<std::size_t>(map_->class_of(table_, row, column_))] : target_->render(row);
  }

 private:
  const Table& table_;
  std::optional<LabelMap> map_;
  std::size_t column_ = 0;
  std::optional<BoundTemplate> target_;
};

}  // namespace

std::vector<std::uint32_t> shot_rows(const TextTask& task, const Table& table, const TextPromptOptions& options) {
  if (!options.rows.empty()) {
    std::vector<std::uint32_t> rows;
    for (const auto row : options.rows) {
      require<ConfigError>(row >= 0 && row < table.rows(), "examples of a text prompt: row {} of {}; wanted 0 to {}", row, table.source(),
                           table.rows() - 1);
      rows.push_back(static_cast<std::uint32_t>(row));
    }
    return rows;
  }
  require<ConfigError>(options.shots >= 0 && options.shots <= table.rows(), "examples of a text prompt: {} were asked for; {} has {}",
                       options.shots, table.source(), table.rows());
  auto order = Random(options.seed, kStream).permutation(static_cast<std::uint32_t>(table.rows()));
  if (options.selection == ShotSelection::balanced) return balanced_rows(task, table, order, options.shots);
  order.resize(static_cast<std::size_t>(options.shots));
  return order;
}

TextTask with_text_prompt(TextTask task, const Table& table, const TextPromptOptions& options, bool decoder_only) {
  require<ConfigError>(!options.calibrated || task.classifies(), "a calibrated text prompt: the task has no classes; wanted labels");
  if (decoder_only && !task.separator) task.separator = options.answer_separator;
  const std::string answer_separator = task.separator.value_or(options.answer_separator);
  const auto rows = shot_rows(task, table, options);
  std::string front = options.instruction.empty() ? "" : options.instruction + options.shot_separator;
  if (!rows.empty()) {
    const BoundTemplate input(Template(task.input), table);
    const Answers answers(task, table);
    for (const auto row : rows) front += input.render(row) + answer_separator + answers.of(row) + options.shot_separator;
  }
  task.input = escaped(front) + task.input;
  task.text_prompt = true;
  task.calibrated = options.calibrated;
  return task;
}

bool is_text_prompt(const std::filesystem::path& folder) {
  const auto task = TextTask::read(folder);
  return task && task->text_prompt;
}

Example empty_input(const TextTask& task, const Tokenizer& tokenizer) {
  Table table("the empty input");
  std::vector<Cell> cells;
  std::set<std::string> names;
  const Template input(task.input);
  for (const auto& piece : input.pieces()) {
    if (!piece.is_field || !names.insert(piece.text).second) continue;
    const bool list = piece.separator.has_value();
    cells.push_back({table.add_column(piece.text), list ? CellKind::list : CellKind::text, list ? "[]" : ""});
  }
  table.add_row(0, std::move(cells));
  TruncationReport report;
  return examples_of(task, table, tokenizer, false, report).front();
}

}  // namespace preamble
