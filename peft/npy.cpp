#include <array>
#include <charconv>
#include <cstring>
#include <optional>
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

std::optional<Dtype> dtype_of_descr(std::string_view descr) {
  if (descr == "<f4") return Dtype::f32;
  if (descr == "<f8") return Dtype::f64;
  if (descr == "<f2") return Dtype::f16;
  return std::nullopt;
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::string where = path.string();
  require<FileError>(bytes.size() >= 12 && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0,
                     "{}: no .npy file; wanted a matrix of floats", where);
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
  const std::size_t version = byte(6);
  require<FileError>(version >= 1 && version <= 3, "{}: .npy version {}; wanted 1, 2 or 3", where, version);
  const std::size_t start = version == 1 ? 10 : 12;
  const std::size_t length = version == 1 ? byte(8) | byte(9) << 8U : byte(8) | byte(9) << 8U | byte(10) << 16U | byte(11) << 24U;
  require<FileError>(length <= bytes.size() - start, "{}: a header of {} bytes; the file has {}", where, length, bytes.size());
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + start, length);
  const auto descr = behind(header, "'descr'", "'", "'");
  const auto dtype = dtype_of_descr(descr);
  require<FileError>(dtype && header.find("'fortran_order': False") != std::string_view::npos,
                     "{}: type '{}' or Fortran order; wanted '<f2', '<f4' or '<f8' in C order", where, descr);
  const Dims dims = parse_shape(behind(header, "'shape'", "(", ")"));
  const auto data = static_cast<std::int64_t>(bytes.size() - start - length);
  const auto size = static_cast<std::int64_t>(size_of(*dtype));
  // divisions, because a product of what the header says may overflow
  require<FileError>(
      dims.size() == 2 && dims[0] > 0 && dims[1] > 0 && data % size == 0 && data / size % dims[0] == 0 && data / size / dims[0] == dims[1],
      "{}: shape {} and {} bytes of numbers; wanted a matrix that fills the file", where, to_string(dims), data);
  Tensor tensor(*dtype, dims);
  std::memcpy(tensor.data(), bytes.data() + start + length, tensor.bytes());
  return tensor.to(Dtype::f32);
}

}  // namespace preamble
