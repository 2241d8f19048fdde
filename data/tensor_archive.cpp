#include "data/tensor_archive.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "data/json_file.h"
#include "data/lfs_pointer.h"
#include "data/safetensors.h"
#include "data/torch_bin.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

TensorFile open_file(const std::filesystem::path& path) {
  constexpr std::uintmax_t kLongestPointer = 1024;
  if (std::filesystem::file_size(path) <= kLongestPointer) refuse_lfs_pointer(read_text(path), path);
  if (path.extension() == ".safetensors") return SafetensorsFile::open(path);
  return TorchBin::open(path);
}

/// An index comes with the model: it must not lead out of the folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

TensorArchive::TensorArchive(const std::filesystem::path& folder, const ArchiveFiles& files) : folder_(folder) {
  require<FileError>(std::filesystem::is_directory(folder), "{}: not a folder; wanted one with {}", folder.string(), files.safetensors);
  const std::array<std::string, 4> candidates = {std::string(files.safetensors), fmt::format("{}.index.json", files.safetensors),
                                                 std::string(files.torch), fmt::format("{}.index.json", files.torch)};
  const auto* found = std::ranges::find_if(candidates, [&](const std::string& name) { return std::filesystem::exists(folder / name); });
  require<FileError>(found != candidates.end(), "{}: has no weights; wanted one of {}", folder.string(), fmt::join(candidates, ", "));
  if (found->ends_with(".json")) {
    open_index(folder / *found);
  } else {
    files_.push_back(open_file(folder / *found));
    names_ = files_[0].names();
    file_of_name_.assign(names_.size(), 0);
  }
  unwrap_names(files.safetensors == kModelFiles.safetensors);
}

void TensorArchive::unwrap_names(bool of_model) {
  constexpr std::array<std::string_view, 4> kWrappers = {"module.", "_orig_mod.", "base_model.model.", "model."};
  // `model.` is also the name of bodies: it is a wrapper where the name of a body, or another wrapper, stands behind it
  constexpr std::array<std::string_view, 11> kBodies = {"bert.",  "roberta.",       "distilbert.", "electra.", "deberta.",  "transformer.",
                                                        "model.", "encoder.block.", "gpt_neox.",   "module.",  "_orig_mod."};
  const auto around_all = [&](std::string_view wrapper) {
    const auto wrapped = [&](const std::string& name) { return name.starts_with(wrapper); };
    const auto around_body = [&](const std::string& name) {
      const std::string_view inner = std::string_view(name).substr(std::min(name.size(), wrapper.size()));
      return std::ranges::any_of(kBodies, [&](std::string_view body) { return inner.starts_with(body); });
    };
    if (names_.empty() || !std::ranges::all_of(names_, wrapped)) return false;
    if (!of_model) return wrapper == "module." || wrapper == "_orig_mod.";
    return wrapper != "model." || std::ranges::any_of(names_, around_body);
  };
  for (const auto* found = std::ranges::find_if(kWrappers, around_all); found != kWrappers.end();
       found = std::ranges::find_if(kWrappers, around_all)) {
    for (auto& name : names_) name.erase(0, found->size());
    wrapper_ += *found;
  }
}

void TensorArchive::open_index(const std::filesystem::path& index) {
  const auto shard_of = JsonFile::open(index).get<std::map<std::string, std::string>>("weight_map");
  std::map<std::string_view, std::size_t> opened;
  for (const auto& [name, shard] : shard_of) {
    const auto [place, fresh] = opened.try_emplace(shard, files_.size());
    if (fresh) {
      require<FileError>(is_plain_name(shard), "{}: the shard of '{}' is {:?}; wanted the name of a file in the same folder",
                         index.string(), name, shard);
      require<FileError>(std::filesystem::exists(folder_ / shard),
                         "{}: names the shard '{}'; it is not in the folder (is the download complete?)", index.string(), shard);
      files_.push_back(open_file(folder_ / shard));
    }
    require<FileError>(files_[place->second].contains(name), "{}: says that '{}' is in '{}'; it is not", index.string(), name, shard);
    names_.push_back(name);
    file_of_name_.push_back(place->second);
  }
}

bool TensorArchive::contains(std::string_view name) const noexcept { return std::ranges::binary_search(names_, name); }

std::string TensorArchive::where(std::string_view name) const { return fmt::format("{}: '{}'", file_of(name).path().string(), stored(name)); }

const TensorFile& TensorArchive::file_of(std::string_view name) const {
  const auto found = std::ranges::lower_bound(names_, name);
  require<FileError>(found != names_.end() && *found == name, "{}: has no tensor '{}'; it holds {}", folder_.string(), name, names_.size());
  return files_[file_of_name_[static_cast<std::size_t>(found - names_.begin())]];
}

}  // namespace preamble
