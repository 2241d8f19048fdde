// safetensors: N (u64), N bytes of JSON, then the numbers.
#pragma once

#include <filesystem>

#include "data/tensor_file.h"

namespace preamble {

/// A safetensors file, mapped: opening one reads its header alone. (Nothing is added to TensorFile, so a SafetensorsFile
/// may be stored as one.)
class SafetensorsFile : public TensorFile {
 public:
  /// Reads strictly: wherever the specification and its reference implementation differ, the stricter of both holds.
  /// Refused are duplicate names, holes, overlaps, trailing bytes, headers above 100 MB or with anything but spaces
  /// behind the object, metadata other than strings, sizes that overflow or disagree. Ignored are unknown fields.
  /// Throws FileError that names the file and, where there is one, the tensor.
  [[nodiscard]] static SafetensorsFile open(const std::filesystem::path& path);

 private:
  using TensorFile::TensorFile;
};

}  // namespace preamble
