#include "data/sequence_examples.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

double number_of(const Table& table, std::int64_t row, std::size_t column) {
  const std::string& text = table.text(row, column);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<FileError>(error == std::errc() && end == text.data() + text.size() && std::isfinite(value),
                     "{}: '{}' is no number; wanted one to predict", table.where(row), text);
  return value;
}

}  // namespace

SequenceMaker::SequenceMaker(const Table& table, SequenceRules rules, const Tokenizer& tokenizer, TruncationReport& report)
    : table_(table),
      rules_(std::move(rules)),
      tokenizer_(tokenizer),
      report_(report),
      text_(rules_.text, table) {
  require<ConfigError>(!(rules_.labels && rules_.regression), "examples: both labels and regression; wanted one of them");
  const auto least = static_cast<std::int64_t>(tokenizer.special_count(rules_.pair.has_value()));
  require<ConfigError>(rules_.max_length > least, "length limit of {} tokens; wanted more than the {} special ones", rules_.max_length,
                       least);
  if (rules_.pair) pair_.emplace(*rules_.pair, table);
  if (rules_.labels || rules_.regression) label_column_ = table.column(rules_.label_column);
}

Example SequenceMaker::make(std::int64_t row) {
  Example example;
  example.row = row;
  example.slot = rules_.slot;
  example.head = rules_.head;
  if (pair_) {
    encode_pair(row, example);
  } else {
    encode_single(row, example);
  }
  if (rules_.labels) example.label = rules_.labels->class_of(table_, row, label_column_);
  if (rules_.regression) example.value = number_of(table_, row, label_column_);
  return example;
}

void SequenceMaker::encode_pair(std::int64_t row, Example& example) {
  EncodeOptions options;
  options.max_length = static_cast<std::size_t>(rules_.max_length);
  const std::string first = text_.render(row);
  const std::string second = pair_->render(row);
  Encoding encoding = tokenizer_.encode(first, second, options);
  if (encoding.overflow > 0) {
    ++report_.sources_cut;
    report_.source_tokens_cut += static_cast<std::int64_t>(encoding.overflow);
  }
  example.source = std::move(encoding.ids);
  if (std::ranges::any_of(encoding.type_ids, [](std::int32_t type) { return type != 0; })) example.types = std::move(encoding.type_ids);
}

void SequenceMaker::encode_single(std::int64_t row, Example& example) {
  const auto tokenize = [this](std::string_view text) {
    EncodeOptions options;
    options.add_special_tokens = false;
    return tokenizer_.encode(text, options).ids;
  };
  const TextFrame& frame = tokenizer_.frame();
  const auto room = rules_.max_length - static_cast<std::int64_t>(frame.begin.size() + frame.end.size());
  example.source = frame.begin;
  const auto ids = encode_truncated(tokenize, text_, row, room, "", report_);
  example.source.insert(example.source.end(), ids.begin(), ids.end());
  example.source.insert(example.source.end(), frame.end.begin(), frame.end.end());
  require<FileError>(!example.source.empty(), "{}: a text without tokens; wanted at least one", table_.where(row));
}

std::vector<Example> sequence_examples(const Table& table, const SequenceRules& rules, const Tokenizer& tokenizer,
                                       TruncationReport& report) {
  SequenceMaker maker(table, rules, tokenizer, report);
  std::vector<Example> examples;
  examples.reserve(static_cast<std::size_t>(table.rows()));
  for (std::int64_t row = 0; row < table.rows(); ++row) examples.push_back(maker.make(row));
  return examples;
}

Verbalizer::Verbalizer(const std::vector<std::string>& words, const Tokenizer& tokenizer) {
  require<ConfigError>(tokenizer.special().mask.has_value(),
                       "verbalizer: the tokenizer has no mask token; wanted that of a masked language model");
  mask_ = *tokenizer.special().mask;
  EncodeOptions options;
  options.add_special_tokens = false;
  for (const auto& word : words) {
    std::vector<std::int32_t> ids = tokenizer.encode(" " + word, options).ids;
    if (ids.size() != 1) ids = tokenizer.encode(word, options).ids;
    require<ConfigError>(ids.size() == 1, "verbalizer: '{}' is {} tokens; wanted a word of one token", word, ids.size());
    require<ConfigError>(ids[0] != tokenizer.special().unk, "verbalizer: '{}' is not in the vocabulary", word);
    require<ConfigError>(std::ranges::find(ids_, ids[0]) == ids_.end(), "verbalizer: '{}' is the token of another class too", word);
    ids_.push_back(ids[0]);
  }
}

void Verbalizer::label(std::vector<Example>& examples, const Table& table) const {
  for (auto& example : examples) {
    const auto masks = std::ranges::count(example.source, mask_);
    require<FileError>(masks == 1, "{}: {} mask tokens; wanted one, from the template", table.where(example.row), masks);
    if (example.label < 0) continue;
    example.tags.assign(example.source.size(), kNoTag);
    example.tags[static_cast<std::size_t>(std::ranges::find(example.source, mask_) - example.source.begin())] =
        ids_.at(static_cast<std::size_t>(example.label));
  }
}

}  // namespace preamble
