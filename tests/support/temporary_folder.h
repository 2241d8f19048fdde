// A folder for the files that a test writes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "engine/core/error.h"

namespace preamble::testing {

/// An empty folder below the system's one for temporary files; removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "preamble-test-XXXXXX").string();
    require<Error>(::mkdtemp(name.data()) != nullptr, "{}: cannot be made; wanted a temporary folder", name);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Creates or replaces the file `name` and returns its path.
  // NOLINTNEXTLINE(modernize-use-nodiscard): most callers know the path
  std::filesystem::path write(std::string_view name, std::string_view bytes) const {
    auto path = path_ / name;
    // a new file, for the old one may be mapped
    std::filesystem::remove(path);
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    require<Error>(file.good(), "{}: cannot be written", path.string());
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace preamble::testing
