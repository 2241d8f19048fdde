#include "data/zip_directory.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/torch_builder.h"

namespace zip_directory_test {

using namespace preamble;
using testing::little;
using testing::zip_of;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

void refuses(const std::string& archive, const char* text) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS(static_cast<void>(zip_entries(bytes_of(archive), "f")), doctest::Contains(text), FileError);
}

std::string replaced(std::string text, std::size_t position, const std::string& by) { return text.replace(position, by.size(), by); }

/// Two entries: headers of 31 bytes; contents of 3 and 2 bytes; directory at 67, entries of 47 bytes; end at 161.
const std::string kSmall = zip_of({{"a", "one"}, {"b", "22"}});

}  // namespace

TEST_CASE("zip_directory: stored entries are views of the archive") {
  for (const bool zip64 : {false, true}) {
    const std::string archive = zip_of({{"a", "one"}, {"empty", ""}, {"folder/b", "22"}}, zip64);
    CHECK(is_zip(bytes_of(archive)));
    const auto entries = zip_entries(bytes_of(archive), "f");
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].name == "a");
    CHECK(entries[1].bytes.empty());
    CHECK(entries[2].name == "folder/b");
    CHECK(reinterpret_cast<const char*>(entries[0].bytes.data()) == archive.data() + 31 + (zip64 ? 0 : 0));
    CHECK(std::string_view(reinterpret_cast<const char*>(entries[2].bytes.data()), 2) == "22");
  }
}

TEST_CASE("zip_directory: a comment behind the end is allowed") {
  std::string archive = replaced(kSmall, kSmall.size() - 2, little(std::uint16_t{5})) + "hello";
  CHECK(zip_entries(bytes_of(archive), "f").size() == 2);
  refuses(archive + "x", "has no end record");
}

TEST_CASE("zip_directory: compressed and encrypted entries are refused by name") {
  refuses(zip_of({{"a", "one", 8}}), "f: zip entry 'a' is compressed (method 8); wanted stored entries, as torch.save writes them");
  refuses(replaced(kSmall, 67 + 8, little(std::uint16_t{1})), "f: zip entry 'a' is encrypted");
}

TEST_CASE("zip_directory: sizes and offsets that lie are refused") {
  REQUIRE(kSmall.substr(67, 2) == "PK");
  REQUIRE(kSmall.substr(161, 2) == "PK");
  const auto three = little(std::uint32_t{3});
  const auto forty = little(std::uint32_t{40});
  const auto sizes = [](std::uint32_t size) { return little(size) + little(size); };
  refuses(replaced(kSmall, 67 + 24, forty), "zip entry 'a' has 40 bytes, stored as 3");
  refuses(replaced(kSmall, 67 + 20, sizes(40)), "zip entry 'a' differs between the directory and its header");
  refuses(replaced(replaced(kSmall, 67 + 20, sizes(40)), 18, sizes(40)), "f: ends at byte 67; wanted 40 bytes from byte 31 on");
  refuses(replaced(replaced(kSmall, 67 + 20, sizes(4)), 18, sizes(4)), "zip entries 'a' and 'b' overlap");
  refuses(replaced(kSmall, 67 + 42, three), "zip entry 'a' is said to be at byte 3; wanted its header there");
  refuses(replaced(kSmall, 67 + 42, little(~std::uint32_t{1})), "ends at byte 67");
  refuses(replaced(kSmall, 67 + 46, "b"), "zip entry 'b' differs between the directory and its header");
  refuses(replaced(kSmall, 67, "QK"), "byte 67 begins no zip directory entry");
  refuses(replaced(kSmall, 67 + 28, little(std::uint16_t{5000})), "ends at byte 161; wanted 5000 bytes");
  refuses(zip_of({{"a", "one"}, {"a", "22"}}), "zip entry 'a' is there twice");
}

TEST_CASE("zip_directory: end records that lie are refused") {
  refuses(kSmall.substr(0, kSmall.size() - 1), "has no end record; wanted a whole archive (is it truncated?)");
  refuses("PK\x03\x04", "has no end record");
  refuses(replaced(kSmall, 161 + 12, little(std::uint32_t{93})),
          "the zip directory claims 93 bytes from byte 67 on; wanted it to end at byte 161");
  refuses(replaced(kSmall, 161 + 16, little(std::uint32_t{500})), "from byte 500 on");
  refuses(replaced(kSmall, 161 + 8, little(std::uint16_t{1}) + little(std::uint16_t{1})), "the zip directory ends at byte 114; wanted 161");
  refuses(replaced(kSmall, 161 + 8, little(std::uint16_t{3}) + little(std::uint16_t{3})), "claims 3 entries in 94 bytes");
  refuses(replaced(kSmall, 161 + 4, little(std::uint16_t{1})), "one volume of several");
  const std::string large = zip_of({{"a", "one"}}, true);
  const std::size_t locator = large.size() - 42;
  refuses(replaced(large, locator + 8, little(~std::uint64_t{0})), "the zip64 locator points to byte 18446744073709551615");
  refuses(replaced(large, locator - 52, little(std::uint64_t{45})), "the zip64 end record claims 45 bytes; wanted 44");
  refuses(replaced(large, locator - 16, little(~std::uint64_t{0})), "the zip directory claims 18446744073709551615 bytes");
}

}  // namespace zip_directory_test
