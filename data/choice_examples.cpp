#include "data/choice_examples.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Whether the row has all fields of a template.
bool has_fields(const Table& table, const Template& pattern, std::int64_t row) {
  return std::ranges::all_of(pattern.pieces(), [&](const Template::Piece& piece) {
    if (!piece.is_field) return true;
    const Cell* cell = table.find(row, table.column(piece.text));
    return cell != nullptr && cell->kind != CellKind::null && !cell->value.empty();
  });
}

/// How many choices the row has.
std::size_t choices_of(const Table& table, const ChoiceRules& rules, std::int64_t row) {
  const auto has = [&](const Template& choice) { return has_fields(table, choice, row); };
  const auto gap = std::ranges::find_if_not(rules.choices, has);
  const auto count = static_cast<std::size_t>(gap - rules.choices.begin());
  require<FileError>(std::find_if(gap, rules.choices.end(), has) == rules.choices.end(),
                     "{}: choice {} is empty, and one behind it is not; wanted no gap", table.where(row), count + 1);
  require<FileError>(count > 1, "{}: {} choice(s); wanted two at least", table.where(row), count);
  return count;
}

std::int32_t label_of(const Table& table, const ChoiceRules& rules, std::int64_t row, std::size_t choices) {
  const std::size_t column = table.column(*rules.label_column);
  const std::string& text = table.text(row, column);
  std::int32_t label = -1;
  if (rules.labels) {
    label = rules.labels->class_of(table, row, column);
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    if (error != std::errc() || end != text.data() + text.size()) label = -1;
  }
  require<FileError>(label >= 0 && static_cast<std::size_t>(label) < choices, "{}: label '{}'; the row has {} choices, and the first is {}",
                     table.where(row), text, choices, rules.labels ? "'" + rules.labels->words().front() + "'" : "0");
  return label;
}

/// Puts a choice into the blank of a text: a piece whose rows predict the choice's tokens.
Example filled(Example text, const std::vector<std::int32_t>& choice, std::int32_t piece_start) {
  text.tags.assign(text.source.size(), kNoTag);
  text.tags.insert(text.tags.end(), choice.begin(), choice.end());
  text.source.push_back(piece_start);
  text.source.insert(text.source.end(), choice.begin(), choice.end() - 1);
  return text;
}

/// Puts the sequence of one more choice behind those of an example.
void append(const Example& choice, Example& example) {
  example.choices.push_back(static_cast<std::int32_t>(choice.source.size()));
  if (!choice.types.empty() || !example.types.empty()) {
    example.types.resize(example.source.size(), 0);
    example.types.insert(example.types.end(), choice.types.begin(), choice.types.end());
    example.types.resize(example.source.size() + choice.source.size(), 0);
  }
  example.source.insert(example.source.end(), choice.source.begin(), choice.source.end());
  example.tags.insert(example.tags.end(), choice.tags.begin(), choice.tags.end());
}

/// Makes the examples of choices in blanks.
class BlankMaker {
 public:
  BlankMaker(const Table& table, const ChoiceRules& rules, const Tokenizer& tokenizer, TruncationReport& report)
      : table_(table), tokenizer_(tokenizer), start_(*rules.piece_start), text_(table, {.text = rules.text, .max_length = rules.max_length}, tokenizer, report) {
    for (const auto& choice : rules.choices) choices_.emplace_back(choice, table);
  }

  [[nodiscard]] Example make(std::int64_t row, std::size_t choice) {
    EncodeOptions options;
    options.add_special_tokens = false;
    const auto tokens = tokenizer_.encode(TextInput(" " + choices_[choice].render(row)), options).ids;
    require<FileError>(!tokens.empty(), "{}: choice {} has no tokens; wanted one at least", table_.where(row), choice + 1);
    return filled(text_.make(row), tokens, start_);
  }

 private:
  const Table& table_;
  const Tokenizer& tokenizer_;
  std::int32_t start_;
  SequenceMaker text_;
  std::vector<BoundTemplate> choices_;
};

}  // namespace

std::vector<Example> choice_examples(const Table& table, const ChoiceRules& rules, const Tokenizer& tokenizer, TruncationReport& report) {
  require<ConfigError>(rules.choices.size() > 1, "examples: {} choice(s) were given; wanted templates of two at least",
                       rules.choices.size());
  std::vector<SequenceMaker> makers;
  std::optional<BlankMaker> blanks;
  if (rules.piece_start) blanks.emplace(table, rules, tokenizer, report);
  for (const auto& choice : rules.choices)
    makers.emplace_back(table, SequenceRules{.text = rules.text, .pair = choice, .max_length = rules.max_length}, tokenizer, report);
  std::vector<Example> examples;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    Example& example = examples.emplace_back();
    example.row = row;
    example.slot = rules.slot;
    example.head = rules.head;
    const std::size_t choices = choices_of(table, rules, row);
    for (std::size_t c = 0; c < choices; ++c) append(blanks ? blanks->make(row, c) : makers[c].make(row), example);
    if (rules.label_column) example.label = label_of(table, rules, row, choices);
  }
  return examples;
}

}  // namespace preamble
