// The tensors that `preamble run` reads and writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/safetensors.h"
#include "engine/runtime/session.h"
#include "models/feeding.h"
#include "models/generate/generation_config.h"

namespace preamble {

using Named = std::vector<std::pair<std::string, Tensor>>;

/// The tensors of the input file, by row.
class RunInputs {
 public:
  explicit RunInputs(const std::filesystem::path& path) : file_(SafetensorsFile::open(path)) {}

  [[nodiscard]] bool has(std::string_view name) const { return file_.contains(name); }
  [[nodiscard]] Dims dims(std::string_view name) const { return file_.get(name).dims(); }
  /// A [B, S] tensor of integers. Throws FileError for anything else.
  [[nodiscard]] std::vector<Ids> matrix(std::string_view name) const;
  /// The same without what `mask`, a tensor of the same shape, says is padding; if there is no such tensor, all of it.
  [[nodiscard]] std::vector<Ids> unpadded(std::string_view name, std::string_view mask) const;
  /// The rows of a tensor of integers with any leading axes: [B, C, S] as B·C of them. Throws FileError for another number of axes.
  [[nodiscard]] std::vector<Ids> rows(std::string_view name, std::size_t axes) const;
  /// A [B] tensor of integers.
  [[nodiscard]] Ids vector(std::string_view name) const;
  /// A [B] tensor of numbers.
  [[nodiscard]] std::vector<float> reals(std::string_view name) const;

 private:
  [[nodiscard]] Tensor integers(std::string_view name, std::size_t axes) const;

  TensorFile file_;
};

/// Rows of a ragged result into a padded tensor [B, length, width]; what is behind a sequence is zero.
[[nodiscard]] Tensor padded(const Tensor& rows, const std::vector<Ids>& sequences, std::size_t length);
/// Generated sequences as an I64 rectangle, filled up as transformers does.
[[nodiscard]] Tensor rectangle(const std::vector<Ids>& sequences, const GenerationConfig& config);
/// Consecutive elements [begin, end) of a list; of an empty list nothing.
template <class List>
[[nodiscard]] List cut(const List& all, std::size_t begin, std::size_t end) {
  return all.empty() ? List() : List(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
}
/// Appends the results `grad.NAME` of the last run.
void add_gradients(const Session& session, Named& results);

}  // namespace preamble
