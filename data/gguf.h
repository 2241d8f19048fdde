// GGUF, the file format of llama.cpp: metadata, then tensors, element types and blocks as they are.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "data/tensor_file.h"

namespace preamble {

/// Metadata of a GGUF file by their keys, as JSON values.
class GgufFile : public TensorFile {
 public:
  /// Maps the file and reads its header. Tensors have the names of llama.cpp (`blk.0.attn_q.weight`) and row-major dimensions; types: F32,
  /// F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K, F64 and integers. Throws FileError for another format, versions other than 2 and 3, and whatever
  /// leads out of the file; UnsupportedError for tensors of other types.
  [[nodiscard]] static GgufFile open(const std::filesystem::path& path);

  [[nodiscard]] const nlohmann::json& facts() const noexcept { return *facts_; }

 private:
  GgufFile(TensorFile file, std::shared_ptr<const nlohmann::json> facts) : TensorFile(std::move(file)), facts_(std::move(facts)) {}

  std::shared_ptr<const nlohmann::json> facts_;
};

}  // namespace preamble
