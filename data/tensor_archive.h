// The weights of a model folder, whatever files they lie in.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tensor_file.h"
#include "engine/core/tensor.h"

namespace preamble {

/// Names of the files that a folder may hold, in the order in which they are looked for: `safetensors`, its index,
/// `torch`, its index.
struct ArchiveFiles {
  std::string_view safetensors;
  std::string_view torch;
};
inline constexpr ArchiveFiles kModelFiles = {"model.safetensors", "pytorch_model.bin"};
inline constexpr ArchiveFiles kAdapterFiles = {"adapter_model.safetensors", "adapter_model.bin"};

/// All tensors of a folder: one file, or shards with an index. Opening maps the files and reads their headers alone. What a wrapper puts in
/// front of every name (`module.` of parallel training, `_orig_mod.` of torch.compile; of a model also `base_model.model.` of PEFT, and `model.` of
/// Lightning if the name of a body or another wrapper stands behind it) is left out of the names.
class TensorArchive {
 public:
  /// Throws FileError if the folder has none of the files, if a shard is missing or lies outside the folder, or if a
  /// name of the index is not in its shard. Tensors that the index does not name don't exist.
  explicit TensorArchive(const std::filesystem::path& folder, const ArchiveFiles& files = kModelFiles);

  /// Names of all tensors, sorted.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] bool contains(std::string_view name) const noexcept;

  /// Throws FileError if there is no such tensor.
  [[nodiscard]] const Dims& dims(std::string_view name) const { return file_of(name).dims(stored(name)); }
  /// See TensorFile.
  [[nodiscard]] std::string_view dtype_name(std::string_view name) const { return file_of(name).dtype_name(stored(name)); }
  [[nodiscard]] Dtype dtype(std::string_view name) const { return file_of(name).dtype(stored(name)); }
  [[nodiscard]] Tensor get(std::string_view name) const { return file_of(name).get(stored(name)); }

  /// For messages: `FOLDER/model-00001-of-00002.safetensors: 'shared.weight'`. Throws FileError if there is no such tensor.
  [[nodiscard]] std::string where(std::string_view name) const;
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  void open_index(const std::filesystem::path& index);
  void unwrap_names(bool of_model);
  /// The name in the files.
  [[nodiscard]] std::string stored(std::string_view name) const { return wrapper_ + std::string(name); }
  [[nodiscard]] const TensorFile& file_of(std::string_view name) const;

  std::filesystem::path folder_;
  std::string wrapper_;  ///< what was left out in front of every name
  std::vector<TensorFile> files_;
  std::vector<std::string> names_;
  std::vector<std::size_t> file_of_name_;  // index into files_, for each of names_
};

}  // namespace preamble
