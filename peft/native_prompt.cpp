#include "peft/native_prompt.h"

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/adapter_file.h"

namespace preamble {
namespace {

constexpr const char* kMethod = "prompt";

}  // namespace

std::string_view name_of(Placement placement) noexcept { return placement == Placement::infix ? "infix" : "prefix"; }

Placement read_placement(const JsonFile& json) {
  const auto name = json.get<std::string>("placement", "prefix");
  require<FileError>(name == "prefix" || name == "infix", "{}: placement '{}'; wanted prefix or infix", json.where(), name);
  return name == "infix" ? Placement::infix : Placement::prefix;
}

bool NativePrompt::is_in(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kDescription) && JsonFile::open(folder / kDescription).get<std::string>("method", "") == kMethod;
}

NativePrompt NativePrompt::read(const std::filesystem::path& folder, std::optional<std::int64_t> width, const Warn& warn) {
  const JsonFile json = JsonFile::open(folder / kDescription);
  const auto format = json.get<std::int64_t>("format");
  require<FileError>(format == 1, "{}: format {}; wanted 1", json.where(), format);
  require<FileError>(read_placement(json) == Placement::infix, "{}: a prompt in front of the input; wanted PEFT's layout for it",
                     json.where());
  const SafetensorsFile file = SafetensorsFile::open(folder / kTensors);
  const std::string name(PromptTuning::kEmbeddings);
  require<FileError>(file.contains(name), "{}: tensor '{}' is missing; wanted a prompt", file.path().string(), name);
  const Tensor stored = file.get(name);
  const std::string where = fmt::format("{}: '{}'", file.path().string(), name);
  require<FileError>(is_floating(stored.dtype()) && stored.dims().size() == 2 && stored.dim(0) > 0 && stored.dim(1) > 0,
                     "{} is {} {}; wanted a floating matrix of at least one row", where, name_of(stored.dtype()), to_string(stored.dims()));
  require<FileError>(!width || stored.dim(1) == *width, "{} is {} wide; the model wants {}", where, stored.dim(1), width.value_or(0));
  return {{owned_floats(stored, where, warn), stored.dim(0)}};
}

void NativePrompt::write(const std::filesystem::path& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", folder.string(), error.message());
  write_safetensors(folder / kTensors,
                    std::vector<std::pair<std::string, Tensor>>{{std::string(PromptTuning::kEmbeddings), slot.embeddings}});
  const nlohmann::ordered_json json = {{"format", 1}, {"method", kMethod}, {"placement", name_of(Placement::infix)}};
  write_atomically(folder / kDescription, json.dump(2) + "\n");
}

}  // namespace preamble
