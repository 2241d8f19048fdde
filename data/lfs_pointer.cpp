#include "data/lfs_pointer.h"

#include "engine/core/error.h"

namespace preamble {

void refuse_lfs_pointer(std::string_view content, const std::filesystem::path& path) {
  require<FileError>(!content.starts_with("version https://git-lfs.github.com/spec/"),
                     "{}: a Git LFS pointer in the place of the file; wanted the file itself (git lfs pull fetches it)", path.string());
}

}  // namespace preamble
