#include "tools/run_tensors.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {

Tensor RunInputs::integers(std::string_view name, std::size_t axes) const {
  const Tensor tensor = file_.get(name);
  require<FileError>(tensor.dims().size() == axes && !is_floating(tensor.dtype()), "{}: '{}' is {} {}; wanted integers with {} axes",
                     file_.path().string(), name, name_of(tensor.dtype()), to_string(tensor.dims()), axes);
  return tensor.to(Dtype::i32);
}

std::vector<Ids> RunInputs::rows(std::string_view name, std::size_t axes) const {
  const Tensor tensor = integers(name, axes);
  auto values = std::as_const(tensor).values<std::int32_t>();
  std::vector<Ids> rows;
  const auto width = static_cast<std::size_t>(tensor.dims().back());
  for (; width > 0 && !values.empty(); values = values.subspan(width)) {
    const auto row = values.first(width);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

std::vector<Ids> RunInputs::matrix(std::string_view name) const { return rows(name, 2); }

Ids RunInputs::vector(std::string_view name) const {
  const Tensor tensor = integers(name, 1);
  const auto values = std::as_const(tensor).values<std::int32_t>();
  return {values.begin(), values.end()};
}

std::vector<float> RunInputs::reals(std::string_view name) const {
  const Tensor tensor = file_.get(name);
  require<FileError>(tensor.dims().size() == 1 && is_floating(tensor.dtype()), "{}: '{}' is {} {}; wanted numbers with 1 axis",
                     file_.path().string(), name, name_of(tensor.dtype()), to_string(tensor.dims()));
  const Tensor numbers = tensor.to(Dtype::f32);
  const auto values = std::as_const(numbers).values<float>();
  return {values.begin(), values.end()};
}

std::vector<Ids> RunInputs::unpadded(std::string_view name, std::string_view mask) const {
  std::vector<Ids> ids = matrix(name);
  if (!has(mask)) return ids;
  const std::vector<Ids> masks = matrix(mask);
  require<FileError>(ids.size() == masks.size(), "'{}': {} rows were given for {} rows of '{}'", mask, masks.size(), ids.size(), name);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require<FileError>(ids[i].size() == masks[i].size(), "'{}': {} columns were given for {} columns of '{}'", mask, masks[i].size(),
                       ids[i].size(), name);
    Ids row;
    for (std::size_t t = 0; t < ids[i].size(); ++t) {
      const std::int32_t read = masks[i][t];
      require<FileError>(read == 0 || read == 1, "'{}': {} in row {}, column {}; wanted 0 or 1", mask, read, i, t);
      if (read == 1) row.push_back(ids[i][t]);
    }
    ids[i] = std::move(row);
  }
  return ids;
}

Tensor padded(const Tensor& rows, const std::vector<Ids>& sequences, std::size_t length) {
  const std::int64_t width = rows.dim(1);
  Tensor result(Dtype::f32, {static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(length), width});
  const auto from = rows.values<float>();
  auto to = result.values<float>();
  const std::size_t stride = length * static_cast<std::size_t>(width);
  std::size_t at = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::size_t count = sequences[i].size() * static_cast<std::size_t>(width);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), count, to.begin() + static_cast<std::ptrdiff_t>(i * stride));
    at += count;
  }
  return result;
}

Tensor rectangle(const std::vector<Ids>& sequences, const GenerationConfig& config) {
  std::size_t longest = 0;
  for (const auto& sequence : sequences) longest = std::max(longest, sequence.size());
  Tensor tensor(Dtype::i64, {static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(longest)});
  auto values = tensor.values<std::int64_t>();
  std::ranges::fill(values, fill_token(config));
  for (std::size_t i = 0; i < sequences.size(); ++i)
    std::ranges::copy(sequences[i], values.begin() + static_cast<std::ptrdiff_t>(i * longest));
  return tensor;
}

void add_gradients(const Session& session, Named& results) {
  for (const auto& [name, value] : session.program().graph().outputs()) {
    if (name.starts_with("grad.")) results.emplace_back(name, session.result_tensor(name));
  }
}

}  // namespace preamble
