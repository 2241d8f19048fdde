#include "peft/save_model.h"

#include <string>
#include <utility>
#include <vector>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {

void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters) {
  std::error_code error;
  require<FileError>(!std::filesystem::equivalent(source, target, error), "{}: it holds the model that was trained; wanted another folder", target.string());
  for (const auto* name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "spiece.model",
                           "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt"}) {
    if (std::filesystem::exists(source / name)) write_atomically(target / name, read_text(source / name));
  }
  const std::vector<std::pair<std::string, Tensor>> tensors(parameters.loaded().begin(), parameters.loaded().end());
  write_safetensors(target / "model.safetensors", tensors);
}

}  // namespace preamble
