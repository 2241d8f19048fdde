// pytorch_model.bin: what torch.save writes, both the zip form and the form before torch 1.6.
#pragma once

#include <filesystem>

#include "data/tensor_file.h"

namespace preamble {

/// A state dict in a file of torch.save, mapped. Tensors that are transposed or otherwise strided are copied to
/// row-major order by `get`; all others are views, if aligned. (Nothing is added to TensorFile, so a TorchBin may be
/// stored as one.)
class TorchBin : public TensorFile {
 public:
  /// Nothing in the file is run: what its pickle may mention is listed at `Pickle`. Throws FileError, which names the
  /// file, for anything else than a little-endian state dict whose storages are all there with the sizes it claims.
  [[nodiscard]] static TorchBin open(const std::filesystem::path& path);

 private:
  using TensorFile::TensorFile;
};

}  // namespace preamble
