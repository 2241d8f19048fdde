// The JSON header of a safetensors file.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/dtype.h"
#include "engine/core/tensor.h"

namespace preamble {

/// An element type of the format; some have no `Dtype` and some are smaller than a byte.
struct SafetensorsDtype {
  std::string_view name;
  std::size_t bits = 0;
  std::optional<Dtype> dtype;
};

/// One tensor of the header, as written: offsets and sizes are not checked against each other.
struct SafetensorsEntry {
  std::string name;
  SafetensorsDtype dtype;
  Dims dims;
  /// Bytes [begin, end) of the data buffer.
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct SafetensorsHeader {
  /// In the order of the header.
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Parses the header. Throws FileError, beginning with `where`, for whatever is not JSON of the right form: a first
/// byte other than `{`, anything but spaces behind the object, missing or doubled fields, wrong types.
[[nodiscard]] SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& where);

}  // namespace preamble
