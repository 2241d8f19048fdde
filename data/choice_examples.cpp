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

/// Puts the sequence of one more choice behind those of an example.
void append(const Example& choice, Example& example) {
  example.choices.push_back(static_cast<std::int32_t>(choice.source.size()));
  if (!choice.types.empty() || !example.types.empty()) {
    example.types.resize(example.source.size(), 0);
    example.types.insert(example.types.end(), choice.types.begin(), choice.types.end());
    example.types.resize(example.source.size() + choice.source.size(), 0);
  }
  example.source.insert(example.source.end(), choice.source.begin(), choice.source.end());
}

}  // namespace

std::vector<Example> choice_examples(const Table& table, const ChoiceRules& rules, const Tokenizer& tokenizer, TruncationReport& report) {
  require<ConfigError>(rules.choices.size() > 1, "examples: {} choice(s) were given; wanted templates of two at least",
                       rules.choices.size());
  std::vector<SequenceMaker> makers;
  for (const auto& choice : rules.choices)
    makers.emplace_back(table, SequenceRules{.text = rules.text, .pair = choice, .max_length = rules.max_length}, tokenizer, report);
  std::vector<Example> examples;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    Example& example = examples.emplace_back();
    example.row = row;
    example.slot = rules.slot;
    example.head = rules.head;
    const std::size_t choices = choices_of(table, rules, row);
    for (std::size_t c = 0; c < choices; ++c) append(makers[c].make(row), example);
    if (rules.label_column) example.label = label_of(table, rules, row, choices);
  }
  return examples;
}

}  // namespace preamble
