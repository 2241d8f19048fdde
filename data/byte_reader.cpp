#include "data/byte_reader.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"

namespace preamble {

ByteReader::ByteReader(std::span<const std::byte> bytes, std::string where, std::size_t position)
    : bytes_(bytes), where_(std::move(where)), position_(position) {}

std::span<const std::byte> ByteReader::take(std::size_t count) {
  require<FileError>(position_ <= bytes_.size() && count <= bytes_.size() - position_,
                     "{}: ends at byte {}; wanted {} bytes from byte {} on", where_, bytes_.size(), count, position_);
  const auto taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

std::string_view ByteReader::text(std::size_t count) {
  const auto taken = take(count);
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

std::string_view ByteReader::line(std::size_t limit) {
  const auto rest = bytes_.subspan(std::min(position_, bytes_.size()));
  const auto window = rest.first(std::min(limit, rest.size()));
  const auto end = std::find(window.begin(), window.end(), std::byte{'\n'});
  require<FileError>(end != window.end(), "{}: no line feed from byte {} on; wanted one within {} bytes", where_, position_, limit);
  const auto result = text(static_cast<std::size_t>(end - window.begin()));
  skip(1);
  return result;
}

}  // namespace preamble
