// Files that were not fetched.
#pragma once

#include <filesystem>
#include <string_view>

namespace preamble {

/// Throws FileError if `content` is the small text that Git leaves in the place of a large file which it did not fetch
/// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
void refuse_lfs_pointer(std::string_view content, const std::filesystem::path& path);

}  // namespace preamble
