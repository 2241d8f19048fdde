// JSON data sets: an object a line, or one array of objects; and writing an object a line.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "data/table.h"

namespace preamble {

/// Appends a row per line of `content`, each an object; blank lines are passed over. Strings are kept as they are, numbers
/// and booleans as they are spelled, lists as JSON. Objects inside a row become columns of their own with dotted names
/// (`{"target": {"word": "it"}}` has the column `target.word`). Throws FileError with the line for anything else, for a key
/// that appears twice, and for nesting deeper than 64.
void read_jsonl(Table& table, std::string_view content);

/// Appends a row per object of the array that `content` is; the rest as `read_jsonl`.
void read_json_array(Table& table, std::string_view content);

/// Appends the rows of JSON in whichever of its forms they come, whatever the file is called: an object a line, a list of objects (or
/// several, one behind the other), or an object that holds such a list under `data`. Throws FileError as the two above.
void read_json(Table& table, std::string_view content);

/// The text of the list under the key `data` of the object that `content` is, or nothing.
[[nodiscard]] std::optional<std::string_view> data_list(std::string_view content);

/// Receives one object at a time.
using JsonSink = std::function<void(const nlohmann::ordered_json&)>;

/// Creates or replaces `path` atomically with the objects that `produce` passes to its sink, one a line. Bytes that are not
/// UTF-8 (a generated text cut inside a character) are written as U+FFFD. Throws FileError if the file cannot be written.
void write_jsonl(const std::filesystem::path& path, const std::function<void(const JsonSink&)>& produce);

/// The same to a stream, each line flushed as it comes. Throws FileError if the stream fails.
void write_jsonl(std::ostream& stream, const std::function<void(const JsonSink&)>& produce);

}  // namespace preamble
