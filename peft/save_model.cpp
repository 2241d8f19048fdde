#include "peft/save_model.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

constexpr std::array kCopied = {"generation_config.json",
                                "tokenizer.json",
                                "tokenizer_config.json",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "spiece.model",
                                "spm.model",
                                "vocab.json",
                                "merges.txt",
                                "vocab.txt"};

/// As transformers names it: `float32`, `bfloat16`.
std::string_view config_dtype(const Parameters& parameters) {
  const bool rounded = std::ranges::any_of(parameters.loaded(), [](const auto& named) { return named.second.dtype() == Dtype::bf16; });
  return rounded ? "bfloat16" : "float32";
}

/// The source's config in its own order, with the type that the weights have now. Both names of the field are in use.
std::string config_text(const std::filesystem::path& path, std::string_view dtype) {
  const JsonFile checked = JsonFile::open(path);
  auto json = nlohmann::ordered_json::parse(read_text(path));
  if (checked.has("torch_dtype")) json["torch_dtype"] = dtype;
  if (!checked.has("torch_dtype") || checked.has("dtype")) json["dtype"] = dtype;
  return json.dump(2) + "\n";
}

}  // namespace

void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters) {
  std::error_code error;
  require<FileError>(!std::filesystem::equivalent(source, target, error), "{}: it holds the model that was trained; wanted another folder",
                     target.string());
  std::filesystem::create_directories(target, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", target.string(), error.message());
  const std::string config = config_text(source / "config.json", config_dtype(parameters));
  for (const auto* name : kCopied) {
    if (std::filesystem::exists(source / name)) write_atomically(target / name, read_text(source / name));
  }
  const std::vector<std::pair<std::string, Tensor>> tensors(parameters.loaded().begin(), parameters.loaded().end());
  write_safetensors(target / "model.safetensors", tensors);
  write_atomically(target / "config.json", config);
}

}  // namespace preamble
