#include "data/byte_reader.h"

#include <cstdint>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace byte_reader_test {

using namespace preamble;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace

TEST_CASE("byte_reader: reads little-endian integers, texts and lines in order") {
  using namespace std::string_view_literals;
  ByteReader reader(bytes_of("\x01\x02\xFF\xFF"
                             "abc"
                             "line\n"
                             "z"sv),
                    "f");
  CHECK(reader.read<std::uint16_t>() == 0x0201);
  CHECK(reader.read<std::int16_t>() == -1);
  CHECK(reader.text(3) == "abc");
  CHECK(reader.line(5) == "line");
  CHECK(reader.position() == 12);
  reader.skip(1);
  CHECK(reader.text(0).empty());
}

TEST_CASE("byte_reader: a read behind the end is refused, however large") {
  ByteReader reader(bytes_of("abcd"), "f");
  reader.skip(1);
  CHECK_THROWS_WITH_AS(static_cast<void>(reader.read<std::uint32_t>()), "f: ends at byte 4; wanted 4 bytes from byte 1 on", FileError);
  CHECK_THROWS_AS(reader.skip(~std::size_t{0}), FileError);
  ByteReader beyond(bytes_of("abcd"), "f", 9);
  CHECK_THROWS_WITH_AS(beyond.skip(0), "f: ends at byte 4; wanted 0 bytes from byte 9 on", FileError);
}

TEST_CASE("byte_reader: a line must end within its limit") {
  ByteReader reader(bytes_of("abcdef\n"), "f");
  CHECK_THROWS_WITH_AS(static_cast<void>(reader.line(6)), "f: no line feed from byte 0 on; wanted one within 6 bytes", FileError);
  CHECK(reader.line(7) == "abcdef");
}

}  // namespace byte_reader_test
