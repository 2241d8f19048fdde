// What every file of named tensors offers, whatever its format.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/dtype.h"
#include "engine/core/file.h"
#include "engine/core/tensor.h"

namespace preamble {

/// Where one tensor lies in a mapped file. The parser that makes it has checked that all of it lies inside.
struct TensorRecord {
  std::string name;
  /// Element type as safetensors spells it: `F32`, `F8_E4M3`, ...
  std::string_view dtype_name;
  /// Absent for types that files may hold but `Dtype` lacks.
  std::optional<Dtype> dtype;
  Dims dims;
  /// Elements from one index to the next, per axis; empty: row-major and contiguous.
  Dims strides;
  /// The element with all indices zero.
  const std::byte* data = nullptr;
};

/// A mapped file of named tensors. Copies share the map; tensors taken from it keep the map alive.
class TensorFile {
 public:
  /// Throws FileError if two records have the same name.
  TensorFile(std::shared_ptr<const MappedFile> file, std::vector<TensorRecord> records, std::map<std::string, std::string> metadata = {});

  /// Names of all tensors, sorted.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] bool contains(std::string_view name) const noexcept;

  /// Throws FileError if there is no such tensor.
  [[nodiscard]] const Dims& dims(std::string_view name) const { return record(name).dims; }
  /// Element type as safetensors spells it. Throws FileError if there is no such tensor.
  [[nodiscard]] std::string_view dtype_name(std::string_view name) const { return record(name).dtype_name; }
  /// Throws FileError if there is no such tensor, DtypeError if its type is one that `Dtype` lacks.
  [[nodiscard]] Dtype dtype(std::string_view name) const;
  /// The tensor: a view of the map where its numbers are contiguous and aligned for their type, else an owned copy in
  /// row-major order. Throws like `dtype`.
  [[nodiscard]] Tensor get(std::string_view name) const;

  /// What `__metadata__` of a safetensors file holds; empty for other formats.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_->path(); }

 private:
  [[nodiscard]] const TensorRecord& record(std::string_view name) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<TensorRecord> records_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace preamble
