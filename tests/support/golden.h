// Where the golden files lie.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "engine/core/error.h"

namespace preamble::testing {

/// Path of `name` below tests/golden. The folder comes in the environment variable PREAMBLE_GOLDEN (Meson sets it).
[[nodiscard]] inline std::filesystem::path golden(std::string_view name) {
  const char* folder = std::getenv("PREAMBLE_GOLDEN");
  require<Error>(folder != nullptr, "PREAMBLE_GOLDEN: not set; wanted the path of tests/golden");
  auto path = std::filesystem::path(folder) / name;
  require<Error>(std::filesystem::exists(path), "{}: no such golden file", path.string());
  return path;
}

}  // namespace preamble::testing
