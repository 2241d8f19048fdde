#include "data/json_file.h"

#include <cstdint>
#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace json_file_test {

using namespace preamble;

namespace {

JsonFile sample() {
  return JsonFile::parse(R"({"d_model": 512, "rate": 0.5, "big": 5000000000, "huge": 18446744073709551615, "vast": 1e300, "name": "abc",
                            "tied": true, "none": null, "list": [1, 2], "words": ["a", "b"], "mixed": ["a", 1],
                            "labels": {"0": "x", "1": "y"}, "inner": {"depth": "deep"}})",
                         "config.json");
}

}  // namespace

TEST_CASE("json_file: typed fields come back as they stand") {
  const JsonFile file = sample();
  CHECK(file.get<int>("d_model") == 512);
  CHECK(file.get<std::int64_t>("big") == 5000000000);
  CHECK(file.get<float>("rate") == 0.5F);
  CHECK(file.get<double>("d_model") == 512.0);
  CHECK(file.get<std::string>("name") == "abc");
  CHECK(file.get<bool>("tied"));
  CHECK(file.get<std::vector<std::int64_t>>("list") == std::vector<std::int64_t>{1, 2});
  CHECK(file.get<std::vector<std::string>>("words") == std::vector<std::string>{"a", "b"});
  CHECK(file.get<std::map<std::string, std::string>>("labels").at("1") == "y");
}

TEST_CASE("json_file: an absent field and a null take the fallback") {
  const JsonFile file = sample();
  CHECK(file.get<int>("none", 7) == 7);
  CHECK(file.get<int>("nowhere", 7) == 7);
  CHECK(file.get<int>("d_model", 7) == 512);
  CHECK_FALSE(file.find<int>("none").has_value());
  CHECK_FALSE(file.has("none"));
  CHECK(file.has("name"));
}

TEST_CASE("json_file: a wrong type is named with the value and what was wanted") {
  const JsonFile file = sample();
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<int>("name")), "config.json: field 'name' is \"abc\"; wanted an integer", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<int>("name", 1)), "config.json: field 'name' is \"abc\"; wanted an integer", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<int>("rate")), "config.json: field 'rate' is 0.5; wanted an integer", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<int>("none")), "config.json: field 'none' is missing; wanted an integer", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<bool>("d_model")), "config.json: field 'd_model' is 512; wanted true or false",
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<float>("list")), "config.json: field 'list' is an array of 2; wanted a number",
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<std::vector<std::string>>("mixed")),
                       "config.json: field 'mixed' is an array of 2; wanted an array of strings", FileError);
}

TEST_CASE("json_file: a number that does not fit is refused, not wrapped") {
  const JsonFile file = sample();
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<int>("big")),
                       "config.json: field 'big' is 5000000000; wanted an integer that fits 32 bits", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<std::int64_t>("huge")), doctest::Contains("wanted an integer"), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get<float>("vast")), doctest::Contains("wanted a number that fits 32 bits"), FileError);
  CHECK(file.get<double>("vast") == 1e300);
}

TEST_CASE("json_file: a section knows where it comes from and outlives the file") {
  const JsonFile inner = sample().section("inner");
  CHECK_THROWS_WITH_AS(static_cast<void>(inner.get<int>("depth")), "config.json: inner: field 'depth' is \"deep\"; wanted an integer",
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(sample().section("name")), "config.json: field 'name' is \"abc\"; wanted an object", FileError);
}

TEST_CASE("json_file: a pointer of Git LFS is named as such") {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  CHECK_THROWS_WITH_AS((void)JsonFile::open(path), doctest::Contains("a Git LFS pointer in the place of the file"), FileError);
}

TEST_CASE("json_file: broken files give one error with the path and the place") {
  testing::TemporaryFolder folder;
  const auto path = folder.write("config.json", "{\"a\": 1,\n \"b\": }");
  CHECK_THROWS_WITH_AS(static_cast<void>(JsonFile::open(path)),
                       doctest::Contains((path.string() + ": parse error at line 2, column 7").c_str()), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(JsonFile::parse("[1]", "x.json")), "x.json: holds an array of 1; wanted an object", FileError);
  CHECK_THROWS_AS(static_cast<void>(JsonFile::parse("", "x.json")), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(JsonFile::parse(R"({"a": 1e999})", "x.json")), doctest::Contains("x.json: number overflow"),
                       FileError);
  CHECK_THROWS_AS(static_cast<void>(JsonFile::parse("{\"a\": \"\xFF\"}", "x.json")), FileError);
  CHECK_THROWS_AS(static_cast<void>(JsonFile::parse(std::string(1 << 20, '['), "x.json")), FileError);
  CHECK_THROWS_AS(static_cast<void>(JsonFile::open(folder.path() / "missing.json")), FileError);
}

}  // namespace json_file_test
