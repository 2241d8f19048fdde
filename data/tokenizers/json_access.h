// JSON files that are read with nlohmann's own accessors.
#pragma once

#include <type_traits>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/error.h"

namespace preamble {

/// Calls `read(json)` with the object that the file holds. Throws FileError with the path if `read` meets a value of an
/// unexpected type or a missing key.
template <class Read>
std::invoke_result_t<Read, const nlohmann::json&> read_json(const JsonFile& file, const Read& read) {
  try {
    return read(file.value());
  } catch (const nlohmann::json::exception& error) {
    raise<FileError>("{}: {}", file.where(), error.what());
  }
}

}  // namespace preamble
