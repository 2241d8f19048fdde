#include "data/squad_json.h"

#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/text_file.h"
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

  [[nodiscard]] std::size_t count() const {
    require<FileError>(value_.is_number_unsigned(), "{}: {}; wanted a whole number from 0", name_,
                       value_.is_number() ? value_.dump() : value_.type_name());
    return value_.get<std::size_t>();
  }

  [[nodiscard]] bool flag() const {
    require<FileError>(value_.is_boolean(), "{}: {}; wanted true or false", name_, value_.type_name());
    return value_.get<bool>();
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  const json& value_;
  std::string name_;
};

SquadAnswer read_answer(const Place& place, const std::string& context) {
  SquadAnswer answer{place.at("text").text(), 0};
  const std::size_t start = place.at("answer_start").count();
  const auto begin = byte_offset(context, start);
  require<FileError>(begin && std::string_view(context).substr(*begin).starts_with(answer.text),
                     "{}: '{}' does not stand at character {} of the context", place.name(), answer.text, start);
  answer.begin = *begin;
  return answer;
}

SquadQuestion read_question(const Place& place, const std::string& context) {
  SquadQuestion question;
  question.id = place.at("id").text();
  question.question = place.at("question").text();
  if (const auto answers = place.find("answers")) {
    for (const Place& answer : answers->items()) question.answers.push_back(read_answer(answer, context));
  }
  if (const auto impossible = place.find("is_impossible")) question.impossible = impossible->flag();
  return question;
}

}  // namespace

SquadData read_squad(const std::filesystem::path& path) {
  const JsonFile document = JsonFile::open(path);
  SquadData data;
  std::unordered_set<std::string> ids;
  for (const Place& article : Place(document.value(), path.string() + ": document").at("data").items()) {
    const auto title = article.find("title");
    for (const Place& paragraph : article.at("paragraphs").items()) {
      data.paragraphs.push_back({title ? title->text() : "", paragraph.at("context").text()});
      for (const Place& place : paragraph.at("qas").items()) {
        SquadQuestion question = read_question(place, data.paragraphs.back().context);
        require<FileError>(ids.insert(question.id).second, "{}: id '{}' twice; wanted different ids", place.name(), question.id);
        question.paragraph = data.paragraphs.size() - 1;
        data.questions.push_back(std::move(question));
      }
    }
  }
  require<FileError>(!data.questions.empty(), "{}: no questions; wanted at least one", path.string());
  return data;
}

std::map<std::string, std::string> read_squad_predictions(const std::filesystem::path& path) {
  const JsonFile document = JsonFile::open(path);
  std::map<std::string, std::string> predictions;
  for (const auto& [id, text] : document.value().items()) {
    require<FileError>(text.is_string(), "{}: prediction '{}' is {}; wanted a string", path.string(), id, text.type_name());
    predictions.emplace(id, text.get<std::string>());
  }
  return predictions;
}

}  // namespace preamble
