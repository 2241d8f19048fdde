// A file with given content that is gone at the end of the scope.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/temporary_folder.h"

namespace preamble::testing {

/// A file called `name` in a temporary folder of its own.
class TemporaryFile {
 public:
  TemporaryFile(std::string_view name, std::string_view content) : path_(folder_.write(name, content)) {}

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::string name() const { return path_.string(); }

 private:
  TemporaryFolder folder_;
  std::filesystem::path path_;
};

}  // namespace preamble::testing
