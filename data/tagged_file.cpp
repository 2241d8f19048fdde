#include "data/tagged_file.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "data/metrics/text.h"
#include "data/table.h"
#include "data/text_file.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

constexpr const char* kWantedTags = "a word and its tag in columns, a token a line (CoNLL, CSV), or JSON with 'tokens' and 'ner_tags'";

bool holds_json(std::string_view content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  if (content[first] == '{')
    return content.find_first_not_of(" \t\r\n", first + 1) != std::string_view::npos &&
           content[content.find_first_not_of(" \t\r\n", first + 1)] == '"';
  if (content[first] != '[') return false;
  const std::size_t second = content.find_first_not_of(" \t\r\n", first + 1);
  return second != std::string_view::npos && content[second] == '{';
}

// ---------------------------------------------------------------------------------------------------------------- JSON

std::optional<std::size_t> first_field(const Table& table, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::ranges::find(table.columns(), name) != table.columns().end()) return table.column(name);
  }
  return std::nullopt;
}

/// The texts of a list, numbers as they are spelled.
std::vector<std::string> list_texts(const Table& table, std::int64_t row, std::size_t column) {
  const Cell& cell = table.cell(row, column);
  require<FileError>(cell.kind == CellKind::list, "{}: field '{}' is no list; wanted one text for each word", table.where(row),
                     table.columns()[column]);
  std::vector<std::string> texts;
  for (const auto& item : nlohmann::json::parse(cell.value)) {
    require<FileError>(item.is_string() || item.is_number_integer(), "{}: list '{}' holds {}; wanted texts or whole numbers",
                       table.where(row), table.columns()[column], item.type_name());
    texts.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return texts;
}

std::vector<TaggedWords> json_sentences(const std::filesystem::path& path, std::string_view content, const TaggedFileOptions& options) {
  static constexpr std::array<std::string_view, 2> kWords = {"tokens", "words"};
  static constexpr std::array<std::string_view, 4> kTags = {"ner_tags", "tags", "labels", "ner"};
  static constexpr std::array<std::string_view, 2> kTexts = {"text", "sentence"};
  Table table(path.string());
  read_json(table, content);
  const auto words = first_field(table, kWords);
  const auto texts = options.with_tags ? std::nullopt : first_field(table, kTexts);
  std::optional<std::size_t> tags;
  if (options.with_tags) tags = options.tag_field.empty() ? first_field(table, kTags) : table.column(options.tag_field);
  require<FileError>(words || texts, "{}: no field 'tokens'; wanted {}", path.string(), kWantedTags);
  require<FileError>(tags || !options.with_tags, "{}: no field 'ner_tags' or 'tags'; wanted {}", path.string(), kWantedTags);
  std::vector<TaggedWords> sentences;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    TaggedWords& sentence = sentences.emplace_back();
    sentence.place = table.where(row);
    sentence.words = words ? list_texts(table, row, *words) : words_of(table.text(row, *texts));
    if (!tags) continue;
    sentence.tags = list_texts(table, row, *tags);
    require<FileError>(sentence.tags.size() == sentence.words.size(), "{}: {} words and {} tags; wanted as many", sentence.place,
                       sentence.words.size(), sentence.tags.size());
  }
  return sentences;
}

// ------------------------------------------------------------------------------------------------- columns and sentences

/// Whether lines are sentences to be tagged rather than tokens in columns.
bool holds_sentences(std::string_view content, const TagSet* known) {
  LineReader lines(content);
  std::size_t fields = 0;
  bool equal = true, tagged = true, blanks = false, tokens_in_a_row = false, former = false;
  while (const auto line = lines.next()) {
    const auto words = metrics::split_whitespace(*line);
    if (line->find('\t') != std::string_view::npos) return false;
    if (!former && is_sentence_comment(*line)) continue;
    if (words.empty()) {
      blanks = true;
      former = false;
      continue;
    }
    if (words.front() == "-DOCSTART-") return false;
    tokens_in_a_row = tokens_in_a_row || std::exchange(former, true);
    equal = equal && (fields == 0 || fields == words.size());
    fields = words.size();
    const std::string& last = words.back();
    tagged = tagged && (known != nullptr && known->find(last) >= 0 ? true : marks_entity(last));
  }
  if (equal && fields <= 1) return false;
  return !(equal && (tagged || (blanks && tokens_in_a_row)));
}

std::vector<TaggedWords> plain_sentences(const std::filesystem::path& path, std::string_view content) {
  std::vector<TaggedWords> sentences;
  LineReader lines(content);
  while (const auto line = lines.next()) {
    require_text(*line, path.string(), lines.number());
    auto words = words_of(*line);
    if (words.empty()) continue;
    sentences.push_back({.words = std::move(words), .tags = {}, .place = fmt::format("{}:{}", path.string(), lines.number())});
  }
  return sentences;
}

bool is_tag_number(std::string_view tag) {
  return !tag.empty() && std::ranges::all_of(tag, [](char c) { return c >= '0' && c <= '9'; });
}

/// Puts names in place of numbers. A tag that is a name already stays.
void name_tags(std::vector<TaggedWords>& sentences, const std::vector<std::string>& names) {
  for (auto& sentence : sentences) {
    for (auto& tag : sentence.tags) {
      if (std::ranges::find(names, tag) != names.end()) continue;
      const bool number = is_tag_number(tag) && tag.size() < 9 && std::stoul(tag) < names.size();
      require<FileError>(number, "{}: tag '{}'; wanted a number below {}, or one of {}", sentence.place, tag, names.size(),
                         fmt::join(names, " "));
      tag = names[std::stoul(tag)];
    }
  }
}

/// Whether the first column counts the words of each sentence.
bool begins_with_numbers(const ConllFile& file) {
  bool several = false;
  for (const auto& sentence : file.sentences()) {
    const auto& column = sentence.columns.front();
    several = several || column.size() > 1;
    for (std::size_t t = 0; t < column.size(); ++t) {
      if (column[t] != std::to_string(t + 1) && column[t] != std::to_string(t)) return false;
    }
  }
  return several && file.sentences().front().columns.size() > 1;
}

std::vector<TaggedWords> columns_of(const ConllFile& file, const TaggedFileOptions& options) {
  TaggedFileOptions given = options;
  const ConllHeader header = ConllHeader::of(file.header());
  if (!file.header().empty() && options.word_column == 0) given.word_column = header.word;
  if (!file.header().empty() && options.tag_column == -1) given.tag_column = header.tag;
  if (file.header().empty() && options.word_column == 0 && begins_with_numbers(file)) {
    warn(fmt::format("{}: the first column counts the words of each sentence; words are read from the second", file.source()));
    given.word_column = 1;
  }
  const ConllSentence& first = file.sentences().front();
  require<FileError>(!options.with_tags || first.columns.size() > 1, "{}:{}: one column, '{}'; wanted {}", file.source(), first.line,
                     first.columns[0][0], kWantedTags);
  require<ConfigError>(!options.with_tags || &file.column(0, given.word_column) != &file.column(0, given.tag_column),
                       "{}: words and tags in the same column, {}; wanted two columns", file.source(), given.word_column);
  auto sentences = tagged_words(file, given.word_column, given.tag_column, options.with_tags);
  const auto listed = [](const std::string& word) { return word.starts_with('[') && word.ends_with(']') && word.size() > 2; };
  require<FileError>(file.header().empty() || !listed(sentences.front().words.front()), "{}: a list of words in a column, '{}'; wanted {}",
                     sentences.front().place, sentences.front().words.front(), kWantedTags);
  return sentences;
}

}  // namespace

std::vector<TaggedWords> read_tagged_file(const std::filesystem::path& path, const TaggedFileOptions& options) {
  const std::string content = read_text_file(path);
  const std::string extension = path.extension().string();
  const std::string& format = options.format;
  require<ConfigError>(format.empty() || format == "jsonl" || format == "json" || format == "csv" || format == "tsv" || format == "conll",
                       "{}: format '{}' of words with tags; wanted conll, tsv, csv, json or jsonl", path.string(), format);
  if (options.roles) return semantic_roles(ConllFile::parse(path.string(), content, {.conllu = true}));
  const bool json = format.empty() ? extension == ".jsonl" || extension == ".json" || holds_json(content) : format.starts_with("json");
  const bool csv = format.empty() ? extension == ".csv" : format == "csv";
  if (!json && !csv && format.empty() && !options.with_tags && holds_sentences(content, options.known))
    return plain_sentences(path, content);
  auto sentences = json ? json_sentences(path, content, options)
                        : columns_of(ConllFile::parse(path.string(), content, {.csv = csv, .header = true}), options);
  if (!options.names.empty()) name_tags(sentences, options.names);
  return sentences;
}

TagSet checked_tag_set(const std::vector<TaggedWords>& sentences, const std::string& source) {
  constexpr std::size_t kFew = 50;
  TagSet tags = tag_set(sentences);
  std::set<std::string_view> words;
  std::size_t tokens = 0;
  for (const auto& sentence : sentences) {
    words.insert(sentence.words.begin(), sentence.words.end());
    tokens += sentence.words.size();
  }
  const auto& names = tags.names();
  const auto marked = static_cast<std::size_t>(std::ranges::count_if(names, marks_entity));
  if (2 * marked > names.size() || tags.find("O") >= 0) {
    if (names.size() == 1) warn(fmt::format("{}: every word has the tag '{}'; there is nothing to learn", source, names.front()));
    return tags;
  }
  require<FileError>(names.size() > 1, "{}: every word has the tag '{}'; wanted {}", source, names.front(), kWantedTags);
  // numbers in JSON were named as tags; a few of them may well be all different
  if (names.size() <= kFew && std::ranges::all_of(names, is_tag_number)) return tags;
  const bool garbage = names.size() >= words.size() || (tokens >= kFew && 2 * names.size() > words.size());
  require<FileError>(!garbage, "{}: {} different tags, as '{}' and '{}', for {} different words: this is no column of tags; wanted {}",
                     source, names.size(), names[0], names[1], words.size(), kWantedTags);
  return tags;
}

std::vector<std::string> words_of(std::string_view sentence) {
  const auto punctuation = [](char32_t c) { return is(CharClass::bert_punctuation, c); };
  std::vector<std::string> words;
  for (const auto& piece : metrics::split_whitespace(sentence)) {
    const std::u32string text = decode_utf8(piece);
    auto begin = std::ranges::find_if_not(text, punctuation);
    auto end = std::find_if_not(text.rbegin(), std::make_reverse_iterator(begin), punctuation).base();
    for (auto mark = text.begin(); mark != begin; ++mark) words.push_back(encode_utf8(std::u32string(1, *mark)));
    if (begin != end) words.push_back(encode_utf8(std::u32string(begin, end)));
    for (auto mark = end; mark != text.end(); ++mark) words.push_back(encode_utf8(std::u32string(1, *mark)));
  }
  return words;
}

bool marks_entity(std::string_view tag) {
  constexpr std::string_view kMarks = "BIESLUM";
  if (tag == "O") return true;
  if (tag.size() < 3) return false;
  const auto separates = [](char c) { return c == '-' || c == '_'; };
  return (kMarks.find(tag.front()) != std::string_view::npos && separates(tag[1])) ||
         (kMarks.find(tag.back()) != std::string_view::npos && separates(tag[tag.size() - 2]));
}

}  // namespace preamble
