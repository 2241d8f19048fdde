#include "data/examples.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "engine/core/error.h"

namespace preamble {
namespace {

void surround(std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& begin, const std::vector<std::int32_t>& end) {
  ids.insert(ids.begin(), begin.begin(), begin.end());
  ids.insert(ids.end(), end.begin(), end.end());
}

std::int64_t room(std::string_view what, std::int64_t limit, const std::vector<std::int32_t>& begin, const std::vector<std::int32_t>& end) {
  const auto special = static_cast<std::int64_t>(begin.size() + end.size());
  require<ConfigError>(limit > special, "{} length limit of {} tokens; wanted more than the {} special ones", what, limit, special);
  return limit - special;
}

}  // namespace

std::int64_t longest_source(std::span<const Example> examples) noexcept {
  std::size_t length = 1;
  for (const auto& example : examples) length = std::max(length, example.source.size());
  return static_cast<std::int64_t>(length);
}

std::vector<Example> make_examples(const Table& table, const ExampleRules& rules, const Tokenize& tokenize, TruncationReport& report) {
  require<ConfigError>(!(rules.target && rules.labels), "examples: both a target template and labels; wanted one of them");
  const SpecialTokens& special = rules.special;
  const std::int64_t source_room = room("source", rules.max_source_length, special.source_begin, special.source_end);
  const std::int64_t target_room = room("target", rules.max_target_length, special.target_begin, special.target_end);
  const BoundTemplate source(rules.source, table);
  std::optional<BoundTemplate> target;
  if (rules.target) target.emplace(*rules.target, table);
  const std::size_t label_column = rules.labels ? table.column(rules.label_column) : 0;

  std::vector<Example> examples(static_cast<std::size_t>(table.rows()));
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    Example& example = examples[static_cast<std::size_t>(row)];
    example.row = row;
    example.slot = rules.slot;
    example.source = encode_truncated(tokenize, source, row, source_room, rules.cut_field, report);
    surround(example.source, special.source_begin, special.source_end);
    require<FileError>(!example.source.empty(), "{}: a source without tokens; wanted at least one", table.where(row));
    if (rules.labels) {
      example.label = rules.labels->class_of(table, row, label_column);
      example.target = encode_target(tokenize, rules.target_prefix + rules.labels->words()[static_cast<std::size_t>(example.label)], target_room, report);
    }
    if (target) example.target = encode_target(tokenize, rules.target_prefix + target->render(row), target_room, report);
    if (rules.labels || target) surround(example.target, special.target_begin, special.target_end);
  }
  return examples;
}

}  // namespace preamble
