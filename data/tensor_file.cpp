#include "data/tensor_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Copies a strided view to row-major memory, innermost axis in the inner loop.
void copy_strided(const TensorRecord& record, std::size_t element_bytes, std::byte* target) {
  const std::size_t rank = record.dims.size();
  const std::int64_t inner = record.dims[rank - 1];
  const auto inner_step = static_cast<std::size_t>(record.strides[rank - 1]) * element_bytes;
  Dims index(rank, 0);
  for (std::int64_t rest = count_of(record.dims) / inner; rest > 0; --rest) {
    std::size_t offset = 0;
    for (std::size_t axis = 0; axis + 1 < rank; ++axis) offset += static_cast<std::size_t>(index[axis] * record.strides[axis]);
    const std::byte* source = record.data + offset * element_bytes;
    for (std::int64_t i = 0; i < inner; ++i, source += inner_step, target += element_bytes) std::memcpy(target, source, element_bytes);
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      if (++index[axis] < record.dims[axis]) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

TensorFile::TensorFile(std::shared_ptr<const MappedFile> file, std::vector<TensorRecord> records,
                       std::map<std::string, std::string> metadata)
    : file_(std::move(file)), records_(std::move(records)), metadata_(std::move(metadata)) {
  std::ranges::sort(records_, {}, &TensorRecord::name);
  const auto twin = std::ranges::adjacent_find(records_, {}, &TensorRecord::name);
  if (twin != records_.end()) raise<FileError>("{}: tensor '{}' is there twice; wanted each name once", path().string(), twin->name);
  names_.reserve(records_.size());
  for (const auto& record : records_) names_.push_back(record.name);
}

bool TensorFile::contains(std::string_view name) const noexcept { return std::ranges::binary_search(names_, name); }

Dtype TensorFile::dtype(std::string_view name) const {
  const auto& found = record(name);
  require<DtypeError>(found.dtype.has_value(), "{}: tensor '{}' is {}; wanted one of F32 F64 BF16 F16 I8 U8 I16 U16 I32 U32 I64 U64 BOOL",
                      path().string(), name, found.dtype_name);
  return *found.dtype;
}

Tensor TensorFile::get(std::string_view name) const {
  const auto& found = record(name);
  const Dtype type = dtype(name);
  const std::size_t element_bytes = size_of(type);
  // behind quantised values stand scales in float32
  const std::size_t alignment = is_quantised(type) ? alignof(float) : element_bytes;
  const bool aligned = reinterpret_cast<std::uintptr_t>(found.data) % alignment == 0;
  if (found.strides.empty() && aligned) return {type, found.dims, file_, found.data};
  Tensor copy(type, found.dims);
  if (!found.strides.empty()) {
    copy_strided(found, element_bytes, static_cast<std::byte*>(copy.data()));
  } else if (copy.bytes() != 0) {
    std::memcpy(copy.data(), found.data, copy.bytes());
  }
  return copy;
}

const TensorRecord& TensorFile::record(std::string_view name) const {
  const auto found = std::ranges::lower_bound(names_, name);
  require<FileError>(found != names_.end() && *found == name, "{}: has no tensor '{}'; it holds {}", path().string(), name, names_.size());
  return records_[static_cast<std::size_t>(found - names_.begin())];
}

}  // namespace preamble
