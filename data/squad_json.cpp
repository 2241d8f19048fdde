#include "data/squad_json.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/jsonl.h"
#include "data/labels.h"
#include "data/metrics/text.h"
#include "data/table.h"
#include "data/text_file.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using nlohmann::json;

/// A value and its place in the document, for errors.
class Place {
 public:
  Place(const json& value, std::string name) : value_(value), name_(std::move(name)) {}

  [[nodiscard]] std::optional<Place> find(const char* key) const {
    require<FileError>(value_.is_object(), "{}: {}; wanted an object", name_, value_.type_name());
    const auto found = value_.find(key);
    if (found == value_.end()) return std::nullopt;
    return Place(*found, fmt::format("{}.{}", name_, key));
  }

  [[nodiscard]] Place at(const char* key) const {
    auto found = find(key);
    require<FileError>(found.has_value(), "{}: no '{}'; wanted one", name_, key);
    return *std::move(found);
  }

  [[nodiscard]] std::vector<Place> items() const {
    require<FileError>(value_.is_array(), "{}: {}; wanted a list", name_, value_.type_name());
    std::vector<Place> items;
    for (std::size_t i = 0; i < value_.size(); ++i) items.emplace_back(value_[i], fmt::format("{}[{}]", name_, i));
    return items;
  }

  [[nodiscard]] const std::string& text() const {
    require<FileError>(value_.is_string(), "{}: {}; wanted a string", name_, value_.type_name());
    return value_.get_ref<const std::string&>();
  }

  /// A text, or a whole number as one.
  [[nodiscard]] std::string id() const { return value_.is_number_integer() ? value_.dump() : text(); }

  /// A whole number, which tables may spell as a fraction or a text; nothing for null.
  [[nodiscard]] std::optional<std::int64_t> place() const {
    if (value_.is_null()) return std::nullopt;
    const std::string spelled = LabelMap::canonical(value_.is_string() ? value_.get_ref<const std::string&>() : value_.dump());
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(spelled.data(), spelled.data() + spelled.size(), number);
    require<FileError>(error == std::errc() && end == spelled.data() + spelled.size(), "{}: {}; wanted a whole number", name_,
                       value_.is_structured() ? value_.type_name() : value_.dump());
    return number;
  }

  [[nodiscard]] bool is_list() const { return value_.is_array(); }
  [[nodiscard]] bool is_null() const { return value_.is_null(); }

  [[nodiscard]] bool flag() const {
    require<FileError>(value_.is_boolean(), "{}: {}; wanted true or false", name_, value_.type_name());
    return value_.get<bool>();
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  const json& value_;
  std::string name_;
};

SquadAnswer read_answer(const std::string& text, std::optional<std::int64_t> start, const std::string& context) {
  SquadAnswer answer{text, answer_place(context, text, start)};
  if (answer.begin) return answer;
  const std::string_view bare = metrics::strip(text);
  if (bare.size() < text.size()) answer = {std::string(bare), answer_place(context, bare, start)};
  return answer;
}

std::vector<SquadAnswer> read_answers(const Place& place, const std::string& context) {
  std::vector<SquadAnswer> answers;
  const auto add = [&](const std::string& text, const std::optional<Place>& start) {
    if (!metrics::strip(text).empty()) answers.push_back(read_answer(text, start ? start->place() : std::nullopt, context));
  };
  if (place.is_null()) return answers;
  if (place.is_list()) {
    for (const Place& answer : place.items()) add(answer.at("text").text(), answer.find("answer_start"));
    return answers;
  }
  const auto texts = place.at("text").items();
  const auto starts = place.find("answer_start");
  const auto numbers = starts ? starts->items() : std::vector<Place>();
  require<FileError>(!starts || numbers.size() == texts.size(), "{}: {} texts and {} places; wanted as many", place.name(), texts.size(),
                     numbers.size());
  for (std::size_t i = 0; i < texts.size(); ++i) add(texts[i].text(), starts ? std::optional(numbers[i]) : std::nullopt);
  return answers;
}

/// Collects the questions of a file.
class QuestionCollector {
 public:
  void add_paragraph(std::string title, std::string context) { data_.paragraphs.push_back({std::move(title), std::move(context)}); }

  /// `number`: the id of a question that has none.
  void add_question(const Place& place, std::optional<std::size_t> number = std::nullopt) {
    SquadQuestion question;
    const auto id = place.find("id");
    question.id = id || !number ? place.at("id").id() : std::to_string(*number);
    question.question = metrics::strip(place.at("question").text());
    if (const auto impossible = place.find("is_impossible")) question.impossible = !impossible->is_null() && impossible->flag();
    const auto answers = question.impossible ? std::nullopt : place.find("answers");
    if (answers) question.answers = read_answers(*answers, data_.paragraphs.back().context);
    require<FileError>(ids_.insert(question.id).second, "{}: id '{}' twice; wanted different ids", place.name(), question.id);
    question.paragraph = data_.paragraphs.size() - 1;
    data_.questions.push_back(std::move(question));
  }

  /// A row of a table; neighbours with the same context share a paragraph.
  void add_row(const Place& row, std::size_t number) {
    const auto title = row.find("title");
    const std::string& context = row.at("context").text();
    if (data_.paragraphs.empty() || data_.paragraphs.back().context != context)
      add_paragraph(title && !title->is_null() ? title->text() : "", context);
    add_question(row, number);
  }

  [[nodiscard]] SquadData take() { return std::move(data_); }

 private:
  SquadData data_;
  std::unordered_set<std::string> ids_;
};

void read_articles(QuestionCollector& collector, const std::vector<Place>& articles) {
  for (const Place& article : articles) {
    const auto title = article.find("title");
    for (const Place& paragraph : article.at("paragraphs").items()) {
      collector.add_paragraph(title ? title->text() : "", paragraph.at("context").text());
      for (const Place& question : paragraph.at("qas").items()) collector.add_question(question);
    }
  }
}

/// Whether the content is JSON with an object a line.
bool holds_rows(std::string_view content) {
  const std::string_view line = content.substr(0, content.find('\n'));
  return line.starts_with('{') && !data_list(content) && json::accept(line);
}

/// Whether a line is an object with an answer and the id of its question.
bool is_prediction_line(std::string_view line) {
  if (!line.starts_with('{') || !json::accept(line)) return false;
  const json row = json::parse(line);
  return row.contains("id") && (row.contains("prediction") || row.contains("prediction_text"));
}

std::optional<std::size_t> byte_of_utf16(std::string_view text, std::size_t units) {
  for (std::size_t at = 0; at <= text.size();) {
    if (units == 0) return at;
    if (at == text.size()) break;
    const DecodedChar c = decode_char(text, at);
    units -= std::min<std::size_t>(units, c.code > 0xFFFF ? 2 : 1);
    at += c.bytes;
  }
  return std::nullopt;
}

std::vector<std::size_t> places_of(std::string_view text, std::string_view part) {
  std::vector<std::size_t> places;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) places.push_back(at);
  return places;
}

}  // namespace

std::optional<std::size_t> answer_place(std::string_view context, std::string_view text, std::optional<std::int64_t> start) {
  constexpr std::size_t kNear = 5;
  if (text.empty()) return std::nullopt;
  const auto stands = [&](std::optional<std::size_t> at) { return at && *at <= context.size() && context.substr(*at).starts_with(text); };
  std::vector<std::size_t> places;
  if (start && *start >= 0) {
    const auto index = static_cast<std::size_t>(*start);
    for (const auto& at : {byte_offset(context, index), byte_of_utf16(context, index), std::optional(index)}) {
      if (stands(at)) return at;
    }
    places = places_of(context, text);
    const auto distance = [&](std::size_t at) {
      const std::size_t chars = count_chars(context.substr(0, at));
      return chars > index ? chars - index : index - chars;
    };
    std::vector<std::size_t> distances;
    for (const std::size_t at : places) distances.push_back(distance(at));
    const auto nearest = std::ranges::min_element(distances);
    if (nearest != distances.end() && *nearest <= kNear && std::ranges::count(distances, *nearest) == 1)
      return places[static_cast<std::size_t>(nearest - distances.begin())];
  } else {
    places = places_of(context, text);
  }
  return places.size() == 1 ? std::optional(places.front()) : std::nullopt;
}

SquadData read_squad(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  const std::string_view content = without_byte_order_mark(text);
  QuestionCollector collector;
  if (holds_rows(content)) {
    LineReader lines(content);
    while (const auto line = lines.next()) {
      if (metrics::strip(*line).empty()) continue;
      const std::string where = fmt::format("{}:{}", path.string(), lines.number());
      const JsonFile row = JsonFile::parse(*line, where);
      collector.add_row(Place(row.value(), where), static_cast<std::size_t>(lines.number()) - 1);
    }
  } else {
    // JsonFile holds objects
    const bool list = metrics::strip(content).starts_with('[');
    const JsonFile document = JsonFile::parse(list ? fmt::format("{{\"data\":{}}}", content) : std::string(content), path.string());
    const auto items = Place(document.value(), path.string() + ": document").at("data").items();
    const bool table = !items.empty() && items.front().find("question").has_value();
    if (!table) read_articles(collector, items);
    for (std::size_t i = 0; table && i < items.size(); ++i) collector.add_row(items[i], i);
  }
  SquadData data = collector.take();
  require<FileError>(!data.questions.empty(), "{}: no questions; wanted at least one", path.string());
  return data;
}

std::map<std::string, std::string> read_squad_predictions(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  std::map<std::string, std::string> predictions;
  const std::string_view content = metrics::strip(without_byte_order_mark(text));
  const bool rows = content.starts_with('[') || is_prediction_line(content.substr(0, content.find('\n')));
  if (rows) {
    Table table(path.string());
    read_json(table, content);
    const std::size_t id = table.column("id");
    const bool prediction = std::ranges::find(table.columns(), "prediction") != table.columns().end();
    const std::size_t answer = table.column(prediction ? "prediction" : "prediction_text");
    for (std::int64_t row = 0; row < table.rows(); ++row) {
      const bool added = predictions.emplace(table.text(row, id), table.text(row, answer)).second;
      require<FileError>(added, "{}: id '{}' twice; wanted different ids", table.where(row), table.text(row, id));
    }
    return predictions;
  }
  const JsonFile document = JsonFile::parse(content, path.string());
  for (const auto& [id, answer] : document.value().items()) {
    require<FileError>(answer.is_string(), "{}: prediction '{}' is {}; wanted a string", path.string(), id, answer.type_name());
    predictions.emplace(id, answer.get<std::string>());
  }
  return predictions;
}

}  // namespace preamble
