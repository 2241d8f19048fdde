#include "models/gguf/facts.h"

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {

const nlohmann::json* GgufFacts::find(std::string_view key) const {
  const auto found = file_.facts().find(fmt::format("{}.{}", architecture_, key));
  return found == file_.facts().end() ? nullptr : &*found;
}

std::int64_t GgufFacts::whole(std::string_view key, std::optional<std::int64_t> absent) const {
  const auto* found = find(key);
  if (found == nullptr && absent) return *absent;
  const bool whole = found != nullptr && found->is_number_integer() && *found > 0 && *found < (1LL << 31);
  require<FileError>(whole, "{}: '{}.{}' is {}; wanted a positive number", file_.path().string(), architecture_, key,
                     found == nullptr ? "missing" : found->is_array() ? "a list" : found->dump());
  return found->get<std::int64_t>();
}

double GgufFacts::real(std::string_view key, std::optional<double> absent) const {
  const auto* found = find(key);
  if (found == nullptr && absent) return *absent;
  require<FileError>(found != nullptr && found->is_number(), "{}: '{}.{}' is {}; wanted a number", file_.path().string(), architecture_, key,
                     found == nullptr ? "missing" : found->dump());
  return found->get<double>();
}

std::string GgufFacts::text(std::string_view key, std::string absent) const {
  const auto* found = find(key);
  if (found == nullptr) return absent;
  require<FileError>(found->is_string(), "{}: '{}.{}' is {}; wanted a text", file_.path().string(), architecture_, key, found->dump());
  return found->get<std::string>();
}

bool GgufFacts::boolean(std::string_view key, bool absent) const {
  const auto* found = find(key);
  if (found == nullptr) return absent;
  require<FileError>(found->is_boolean(), "{}: '{}.{}' is {}; wanted true or false", file_.path().string(), architecture_, key, found->dump());
  return found->get<bool>();
}

std::int64_t GgufFacts::rows(std::string_view tensor) const {
  require<FileError>(file_.contains(tensor), "{}: has no tensor '{}'", file_.path().string(), tensor);
  return file_.dims(tensor).front();
}

}  // namespace preamble
