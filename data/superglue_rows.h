// What readers of SuperGLUE's JSON lines share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/json_file.h"

namespace preamble {

/// Calls `body` with each line's object and the line's number. Blank lines are passed over. Throws FileError (file, line).
void for_each_object(const std::filesystem::path& path, const std::function<void(const JsonFile& row, std::int64_t line)>& body);

/// The field `label` as text: SuperGLUE writes booleans, numbers and words. Nothing in files without labels.
[[nodiscard]] std::optional<std::string> label_of(const JsonFile& row);

/// The objects of a list. Throws FileError unless the field is one.
[[nodiscard]] std::vector<JsonFile> items_of(const JsonFile& row, const char* key);

/// Texts of a ReCoRD passage's entities, which it marks by the places of their first and last characters; each once, sorted. Throws
/// FileError for a place outside of the passage.
[[nodiscard]] std::set<std::string> record_entities(const JsonFile& passage);

/// Texts of a ReCoRD question's answers, each once, sorted; nothing where they are not known.
[[nodiscard]] std::optional<std::set<std::string>> record_answers(const JsonFile& question);

}  // namespace preamble
