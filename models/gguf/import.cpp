#include "models/gguf/import.h"

#include "data/gguf.h"
#include "data/tokenizers/gguf_tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/gguf/config.h"

namespace preamble {

void import_gguf(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const GgufFile file = GgufFile::open(path);
  const auto config = gguf_config(file);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", folder.string(), error.message());
  for (const auto* weights : {"model.safetensors", "pytorch_model.bin"}) {
    require<FileError>(!std::filesystem::exists(folder / weights), "{}: holds a model already ({}); wanted another folder", folder.string(),
                       weights);
  }
  write_gguf_tokenizer(file, folder);
  std::filesystem::remove(folder / kGgufModel, error);
  std::filesystem::create_symlink(std::filesystem::canonical(path), folder / kGgufModel, error);
  require<FileError>(!error, "{}: cannot link to {}: {}", (folder / kGgufModel).string(), path.string(), error.message());
  write_atomically(folder / "config.json", config.dump(2) + "\n");
}

}  // namespace preamble
