#include "data/superglue_rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/text_file.h"
#include "engine/core/error.h"

namespace preamble {

void for_each_object(const std::filesystem::path& path, const std::function<void(const JsonFile&, std::int64_t)>& body) {
  const std::string content = read_text_file(path);
  LineReader lines(content);
  while (const auto line = lines.next()) {
    if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
    require_text(*line, path.string(), lines.number());
    body(JsonFile::parse(*line, fmt::format("{}:{}", path.string(), lines.number())), lines.number());
  }
}

std::optional<std::string> label_of(const JsonFile& row) {
  if (!row.has("label")) return std::nullopt;
  const auto& value = row.value().at("label");
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<JsonFile> items_of(const JsonFile& row, const char* key) {
  const auto found = row.value().find(key);
  require<FileError>(found != row.value().end() && found->is_array(), "{}: field '{}' is no list; wanted one", row.where(), key);
  std::vector<JsonFile> result;
  for (std::size_t i = 0; i < found->size(); ++i)
    result.push_back(JsonFile::parse((*found)[i].dump(), fmt::format("{}: {}[{}]", row.where(), key, i)));
  return result;
}

std::set<std::string> record_entities(const JsonFile& passage) {
  const auto text = passage.get<std::string>("text");
  std::set<std::string> entities;
  for (const auto& entity : items_of(passage, "entities")) {
    const auto first = entity.get<std::int64_t>("start");
    const auto last = entity.get<std::int64_t>("end");  // inclusive
    require<FileError>(first >= 0 && last >= first, "{}: from {} to {}; wanted a place in the passage", entity.where(), first, last);
    const auto begin = byte_offset(text, static_cast<std::size_t>(first));
    const auto end = byte_offset(text, static_cast<std::size_t>(last) + 1);
    require<FileError>(begin && end, "{}: from {} to {}; the passage is shorter", entity.where(), first, last);
    entities.insert(text.substr(*begin, *end - *begin));
  }
  return entities;
}

std::optional<std::set<std::string>> record_answers(const JsonFile& question) {
  if (!question.has("answers")) return std::nullopt;
  std::set<std::string> answers;
  for (const auto& answer : items_of(question, "answers")) answers.insert(answer.get<std::string>("text"));
  return answers;
}

}  // namespace preamble
