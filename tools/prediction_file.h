// Where predictions go.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "data/jsonl.h"

namespace preamble {

/// Writes the rows that `produce` makes, each with a field `prediction`: as JSONL, to standard output without a path; if the file's name
/// ends in .txt the predictions alone, one a line, as scorers want them. Of several processes all make the rows, and the root writes them. Throws
/// FileError.
void write_predictions(const std::optional<std::filesystem::path>& path, const std::function<void(const JsonSink&)>& produce);

}  // namespace preamble
