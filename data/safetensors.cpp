#include "data/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/byte_reader.h"
#include "data/quantised_tensors.h"
#include "data/safetensors_header.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;

/// Bytes of a tensor with these dimensions, or FileError if they overflow or are no whole number.
std::size_t bytes_of(const SafetensorsEntry& entry, const std::string& where) {
  std::int64_t count = 1;
  bool fits = true;
  for (const auto dim : entry.dims) fits = fits && !__builtin_mul_overflow(count, dim, &count);
  std::size_t bits = 0;
  fits = fits && !__builtin_mul_overflow(static_cast<std::size_t>(count), entry.dtype.bits, &bits);
  require<FileError>(fits, "{}: tensor '{}' is {} {}; wanted a size below 2^63", where, entry.name, entry.dtype.name,
                     to_string(entry.dims));
  require<FileError>(bits % 8 == 0, "{}: tensor '{}' is {} {}; wanted a whole number of bytes", where, entry.name, entry.dtype.name,
                     to_string(entry.dims));
  return bits / 8;
}

/// Throws FileError unless the entries cover the data buffer exactly, each with as many bytes as its shape needs.
void check_layout(std::vector<SafetensorsEntry>& entries, std::size_t buffer_bytes, const std::string& where) {
  std::ranges::sort(entries, {}, [](const SafetensorsEntry& entry) { return std::pair(entry.begin, entry.end); });
  std::size_t position = 0;
  for (const auto& entry : entries) {
    require<FileError>(entry.begin == position, "{}: tensor '{}' begins at byte {} of the data; wanted {} (no holes, no overlaps)", where,
                       entry.name, entry.begin, position);
    require<FileError>(entry.end >= entry.begin && entry.end <= buffer_bytes,
                       "{}: tensor '{}' takes bytes [{}, {}) of the data; wanted a range inside its {} bytes", where, entry.name,
                       entry.begin, entry.end, buffer_bytes);
    const std::size_t needed = bytes_of(entry, where);
    require<FileError>(entry.end - entry.begin == needed, "{}: tensor '{}' has {} bytes; {} {} wants {}", where, entry.name,
                       entry.end - entry.begin, entry.dtype.name, to_string(entry.dims), needed);
    position = entry.end;
  }
  require<FileError>(position == buffer_bytes, "{}: the tensors end at byte {} of the data; the file holds {}", where, position,
                     buffer_bytes);
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  const std::string where = path.string();
  const auto bytes = file->bytes();
  ByteReader reader(bytes, where);
  const auto header_bytes = reader.read<std::uint64_t>();
  require<FileError>(header_bytes <= kLongestHeader, "{}: the header claims {} bytes; wanted at most {} (is it a safetensors file?)", where,
                     header_bytes, kLongestHeader);
  auto header = parse_safetensors_header(reader.text(header_bytes), where);
  const auto buffer = bytes.subspan(reader.position());
  check_layout(header.entries, buffer.size(), where);

  std::vector<TensorRecord> records;
  records.reserve(header.entries.size());
  for (auto& entry : header.entries) {
    records.push_back({.name = std::move(entry.name),
                       .dtype_name = entry.dtype.name,
                       .dtype = entry.dtype.dtype,
                       .dims = std::move(entry.dims),
                       .strides = {},
                       .data = buffer.data() + entry.begin});
  }
  find_quantised(records, header.metadata, where);
  return {std::move(file), std::move(records), std::move(header.metadata)};
}

}  // namespace preamble
