#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/initialise.h"

namespace preamble {
namespace {

/// The text between `open` and `close` behind `key` in a header such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
std::string_view behind(std::string_view header, std::string_view key, std::string_view open, std::string_view close) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = header.find(open, at + key.size());
  if (begin == std::string_view::npos) return {};
  const std::size_t end = header.find(close, begin + open.size());
  return end == std::string_view::npos ? std::string_view() : header.substr(begin + open.size(), end - begin - open.size());
}

Dims parse_shape(std::string_view text) {
  Dims dims;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  while (at < end) {
    std::int64_t dim = -1;
    const auto [next, error] = std::from_chars(at, end, dim);
    if (error != std::errc() || dim < 0) return {};
    dims.push_back(dim);
    at = next;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return dims;
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::string where = path.string();
  require<FileError>(bytes.size() >= 12 && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0, "{}: no .npy file; wanted float32 rows", where);
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
  const std::size_t version = byte(6);
  require<FileError>(version == 1 || version == 2, "{}: .npy version {}; wanted 1 or 2", where, version);
  const std::size_t start = version == 1 ? 10 : 12;
  const std::size_t length = version == 1 ? byte(8) | byte(9) << 8U : byte(8) | byte(9) << 8U | byte(10) << 16U | byte(11) << 24U;
  require<FileError>(length <= bytes.size() - start, "{}: a header of {} bytes; the file has {}", where, length, bytes.size());
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + start, length);
  const auto type = behind(header, "'descr'", "'", "'");
  require<FileError>(type == "<f4" && header.find("'fortran_order': False") != std::string_view::npos, "{}: type '{}' or Fortran order; wanted '<f4' in C order",
                     where, type);
  const Dims dims = parse_shape(behind(header, "'shape'", "(", ")"));
  const std::size_t data = bytes.size() - start - length;
  require<FileError>(dims.size() == 2 && dims[1] > 0 && dims[0] <= static_cast<std::int64_t>(data) && dims[1] <= static_cast<std::int64_t>(data) &&
                         static_cast<std::size_t>(count_of(dims)) * 4 == data,
                     "{}: shape {} and {} bytes of numbers; wanted a matrix that fills the file", where, to_string(dims), data);
  Tensor tensor(Dtype::f32, dims);
  std::memcpy(tensor.data(), bytes.data() + start + length, data);
  return tensor;
}

}  // namespace preamble
