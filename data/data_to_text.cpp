#include "data/data_to_text.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/delimited.h"
#include "data/json_file.h"
#include "data/metrics/text.h"
#include "data/text_file.h"
#include "data/xml.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using Json = nlohmann::json;

/// Named texts of a row.
using Fields = std::vector<std::pair<std::string_view, std::string>>;

void add_fields(Table& table, std::int64_t line, const Fields& fields) {
  std::vector<Cell> cells;
  for (const auto& [name, value] : fields) cells.push_back({table.add_column(name), CellKind::text, value});
  table.add_row(line, std::move(cells));
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// Index of the column of that name, whatever its case; negative if there is none.
std::ptrdiff_t column_like(const Table& table, std::string_view name) {
  const auto found = std::ranges::find_if(table.columns(), [&](const std::string& column) { return lower(column) == name; });
  return found == table.columns().end() ? -1 : found - table.columns().begin();
}

/// One entry of WebNLG.
struct WebNlgEntry {
  std::string category, id;
  std::vector<std::array<std::string, 3>> triples;
  std::vector<std::string> texts;  ///< the good ones
  std::size_t all_texts = 0;
};

bool seen_in_training(std::string_view category) {
  constexpr std::array<std::string_view, 10> kSeen = {"Airport", "Astronaut", "Building",   "City",       "ComicsCharacter",
                                                      "Food",    "Monument",  "SportsTeam", "University", "WrittenWork"};
  return std::ranges::find(kSeen, category) != kSeen.end();
}

void add_entry(Table& table, std::int64_t line, const WebNlgEntry& entry) {
  std::string source;
  for (const auto& [subject, property, object] : entry.triples) {
    source += fmt::format("{}| {} : {} : {}", source.empty() ? "" : " ", subject, property, object);
  }
  const auto fields = [&] {
    return Fields{{"source", source},
                  {"category", entry.category},
                  {"size", std::to_string(entry.triples.size())},
                  {"seen", seen_in_training(entry.category) ? "yes" : "no"},
                  {"entry", entry.id}};
  };
  if (entry.all_texts == 0) add_fields(table, line, fields());
  for (const auto& text : entry.texts) {
    Fields row = fields();
    row.emplace_back("target", text);
    add_fields(table, line, row);
  }
}

std::array<std::string, 3> triple_of(std::string_view text, const std::string& where) {
  constexpr std::string_view kBetween = " | ";
  text = metrics::strip(text);
  const std::size_t first = text.find(kBetween);
  const std::size_t last = text.rfind(kBetween);
  require<FileError>(first != std::string_view::npos && first != last, "{}: triple '{}'; wanted 'subject | property | object'", where,
                     text);
  return {std::string(text.substr(0, first)), std::string(text.substr(first + kBetween.size(), last - first - kBetween.size())),
          std::string(text.substr(last + kBetween.size()))};
}

/// A text without the line breaks and indents of a document that was laid out anew; other blanks at its ends are its own.
std::string without_layout(std::string_view text) {
  const std::string_view bare = metrics::strip(text);
  if (bare.empty()) return {};
  const auto begin = static_cast<std::size_t>(bare.data() - text.data());
  const bool before = text.substr(0, begin).find('\n') != std::string_view::npos;
  const bool behind = text.find('\n', begin + bare.size()) != std::string_view::npos;
  if (behind) text = text.substr(0, begin + bare.size());
  return std::string(before ? text.substr(begin) : text);
}

/// The triples of the first set of that name, whatever their own elements are called: some editions keep the name of the original triples.
void add_triples(const XmlElement& element, std::string_view name, WebNlgEntry& entry, const std::string& where) {
  element.each(name, [&](const XmlElement& set) {
    if (!entry.triples.empty()) return;
    for (const auto& triple : set.children) {
      if (triple.name == "mtriple" || triple.name == "otriple") entry.triples.push_back(triple_of(triple.text, where));
    }
  });
}

void read_webnlg_xml(Table& table, std::string_view content, const std::string& source_name, LanguageFilter& languages) {
  const XmlElement root = read_xml(content, source_name);
  require<FileError>(root.name == "benchmark", "{}: an XML document '{}'; wanted WebNLG's 'benchmark'", source_name, root.name);
  root.each("entries", [&](const XmlElement& entries) {
    entries.each("entry", [&](const XmlElement& element) {
      WebNlgEntry entry;
      entry.category = element.attribute("category");
      entry.id = element.attribute("eid");
      const std::string where = fmt::format("{}:{}", source_name, element.line);
      add_triples(element, "modifiedtripleset", entry, where);
      add_triples(element, "originaltripleset", entry, where);
      element.each("lex", [&](const XmlElement& lex) {
        ++entry.all_texts;
        // release 3 nests the text; its sibling is a template
        std::string text = lex.text;
        lex.each("text", [&](const XmlElement& inner) { text = inner.text; });
        const std::string_view comment = lex.attribute("comment");
        if ((comment == "good" || comment.empty()) && languages.takes(lex.attribute("lang"))) entry.texts.push_back(without_layout(text));
      });
      require<FileError>(!entry.triples.empty(), "{}: an entry without triples; wanted modifiedtripleset with mtriple, or originaltripleset", where);
      add_entry(table, element.line, entry);
    });
  });
}

/// The field of an object. Throws FileError if it is not there or of another type.
const Json& field(const Json& object, const char* key, Json::value_t type, const std::string& where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  require<FileError>(object.is_object() && found != object.end() && found->type() == type, "{}: field '{}' is missing or no {}", where, key,
                     Json(type).type_name());
  return *found;
}

std::string text_of(const Json& object, const char* key, const std::string& where) {
  return field(object, key, Json::value_t::string, where).get<std::string>();
}

void read_webnlg_json(Table& table, std::string_view content, const std::string& source_name, LanguageFilter& languages) {
  const JsonFile file = JsonFile::parse(content, source_name);
  std::int64_t number = 0;
  for (const auto& wrapped : field(file.value(), "entries", Json::value_t::array, source_name)) {
    const std::string where = fmt::format("{}: entry {}", source_name, ++number);
    require<FileError>(wrapped.is_object() && wrapped.size() == 1, "{}: wanted an object with the entry under its number", where);
    const Json& given = wrapped.begin().value();
    WebNlgEntry entry;
    entry.category = text_of(given, "category", where);
    entry.id = wrapped.begin().key();
    for (const auto& triple : field(given, "modifiedtripleset", Json::value_t::array, where)) {
      entry.triples.push_back({text_of(triple, "subject", where), text_of(triple, "property", where), text_of(triple, "object", where)});
    }
    require<FileError>(!entry.triples.empty(), "{}: no triples; wanted one at least", where);
    for (const auto& lex : field(given, "lexicalisations", Json::value_t::array, where)) {
      ++entry.all_texts;
      const std::string language = lex.is_object() && lex.contains("lang") ? text_of(lex, "lang", where) : "";
      if (text_of(lex, "comment", where) == "good" && languages.takes(language)) entry.texts.push_back(text_of(lex, "lex", where));
    }
    add_entry(table, 0, entry);
  }
}

}  // namespace

bool LanguageFilter::takes(std::string_view language) {
  const std::string name = language.empty() ? "en" : lower(std::string(language));
  // of `en-GB` the language alone
  if (name == language_ || name.substr(0, name.find_first_of("-_")) == language_) return true;
  ++others_[name];
  return false;
}

void LanguageFilter::report(const std::string& source) const {
  for (const auto& [language, count] : others_)
    warn(fmt::format("{}: {} texts in '{}' left out; wanted '{}'", source, count, language, language_));
}

std::string linearised_e2e(std::string_view mr, const std::string& where) {
  // the fields as the files of Prefix-Tuning spell them
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kNames = {
      {{"eatType", "Type"}, {"priceRange", "price"}, {"familyFriendly", "family friendly"}}};
  std::string result;
  while (!mr.empty()) {
    const std::size_t open = mr.find('[');
    const std::size_t close = mr.find(']');
    const bool ends = close == std::string_view::npos || close + 1 == mr.size();
    require<FileError>(open != std::string_view::npos && close != std::string_view::npos && open > 0 && open < close &&
                           (ends || mr.substr(close + 1).starts_with(",")),
                       "{}: '{}' in a meaning representation; wanted 'name[value], name[value]'", where, mr);
    std::string_view name = mr.substr(0, open);
    const auto known = std::ranges::find(kNames, name, &std::pair<std::string_view, std::string_view>::first);
    if (known != kNames.end()) name = known->second;
    result += fmt::format("{}{} : {}", result.empty() ? "" : " | ", name, mr.substr(open + 1, close - open - 1));
    mr.remove_prefix(ends ? mr.size() : close + 2);
    mr.remove_prefix(std::min(mr.size(), mr.find_first_not_of(' ')));
  }
  require<FileError>(!result.empty(), "{}: an empty meaning representation; wanted 'name[value], name[value]'", where);
  return result;
}

namespace {

constexpr std::string_view kBars = "||";

/// Lines of a linearised record and its text, as the files of Prefix-Tuning.
void read_e2e_lines(Table& table, std::string_view content) {
  LineReader lines(content);
  while (const auto line = lines.next()) {
    if (metrics::strip(*line).empty()) continue;
    require_text(*line, table.source(), lines.number());
    const std::size_t bars = line->find(kBars);
    require<FileError>(bars != std::string_view::npos, "{}:{}: no '||'; wanted record||text as in the lines above", table.source(),
                       lines.number());
    Fields fields = {{"source", std::string(metrics::strip(line->substr(0, bars)))}};
    const std::string_view text = metrics::strip(line->substr(bars + kBars.size()));
    if (!text.empty()) fields.emplace_back("target", text);
    add_fields(table, lines.number(), fields);
  }
}

bool has_bars(std::string_view content) {
  LineReader lines(content);
  for (auto line = lines.next(); line; line = lines.next()) {
    if (!metrics::strip(*line).empty()) return line->find(kBars) != std::string_view::npos;
  }
  return false;
}

}  // namespace

void read_e2e(Table& table, std::string_view content) {
  if (has_bars(content)) return read_e2e_lines(table, content);
  Table file(table.source());
  read_delimited(file, content, Delimited::csv, {});
  const auto mr = column_like(file, "mr");
  const auto ref = column_like(file, "ref");
  require<FileError>(mr >= 0, "{}: no column 'mr'; wanted E2E's CSV, or lines of record||text", table.source());
  for (std::int64_t row = 0; row < file.rows(); ++row) {
    const std::string& record = file.text(row, static_cast<std::size_t>(mr));
    Fields fields = {{"source", linearised_e2e(record, file.where(row))}, {"mr", record}};
    if (ref >= 0) {
      const std::string& text = file.text(row, static_cast<std::size_t>(ref));
      fields.emplace_back("target", text);
      fields.emplace_back("ref", text);
    }
    add_fields(table, 0, fields);
  }
}

void read_webnlg(Table& table, std::string_view content, const std::string& source_name, LanguageFilter& languages) {
  const std::size_t first = content.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  const bool xml = first != std::string_view::npos && content[first] == '<';
  xml ? read_webnlg_xml(table, content, source_name, languages) : read_webnlg_json(table, content, source_name, languages);
}

void read_dart(Table& table, std::string_view content) {
  // the document is a list, and JsonFile holds objects
  const JsonFile file = JsonFile::parse(fmt::format("{{\"sets\":{}}}", content), table.source());
  std::int64_t number = 0;
  for (const auto& set : field(file.value(), "sets", Json::value_t::array, table.source())) {
    const std::string where = fmt::format("{}: set {}", table.source(), ++number);
    std::string source;
    for (const auto& triple : field(set, "tripleset", Json::value_t::array, where)) {
      const bool three =
          triple.is_array() && triple.size() == 3 && std::ranges::all_of(triple, [](const Json& part) { return part.is_string(); });
      require<FileError>(three, "{}: a triple that is no list of three texts", where);
      source += fmt::format("{}{} : {} : {}", source.empty() ? "" : " | ", triple[0].get<std::string>(),
                            lower(triple[1].get<std::string>()), triple[2].get<std::string>());
    }
    require<FileError>(!source.empty(), "{}: no triples; wanted one at least", where);
    for (const auto& annotation : field(set, "annotations", Json::value_t::array, where)) {
      add_fields(table, 0,
                 {{"source", source}, {"target", text_of(annotation, "text", where)}, {"corpus", text_of(annotation, "source", where)}});
    }
  }
}

}  // namespace preamble
