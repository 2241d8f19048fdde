#include "data/metrics/entities.h"

#include <string>

#include <doctest/doctest.h>

#include "data/metrics/text.h"
#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace entities_test {

using namespace preamble;
using namespace preamble::metrics;

namespace {

std::vector<Entity> entities_of(const nlohmann::json& list) {
  std::vector<Entity> entities;
  for (const auto& item : list) entities.push_back({item.at(0), item.at(1), item.at(2)});
  return entities;
}

}  // namespace

TEST_CASE("entities: agrees with seqeval, leniently and in every scheme") {
  int refused = 0;
  for (const auto& item : testing::metric_cases().at("entities")) {
    const auto text = item.at("tags").get<std::string>();
    const Tokens tags = split_whitespace(text);
    for (const auto& [name, expected] : item.at("found").items()) {
      CAPTURE(text);
      CAPTURE(name);
      if (expected.is_null()) {
        ++refused;
        CHECK_THROWS_AS(static_cast<void>(find_entities(tags, tag_scheme(name))), FileError);
      } else {
        CHECK(find_entities(tags, tag_scheme(name)) == entities_of(expected));
      }
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("entities: an I without a B begins an entity, and a change of type does") {
  const Tokens tags = {"I-A", "I-A", "I-B", "O", "I-B"};
  CHECK(find_entities(tags) == std::vector<Entity>{{"A", 0, 1}, {"B", 2, 2}, {"B", 4, 4}});
  CHECK(find_entities(tags, TagScheme::iob2).empty());
}

TEST_CASE("entities: the letter may be a suffix, types may hold hyphens") {
  const Tokens tags = {"work-of-art-B", "work-of-art-I", "O"};
  CHECK(find_entities(tags, TagScheme::lenient, TagSide::suffix) == std::vector<Entity>{{"work-of-art", 0, 1}});
  CHECK(find_entities(tags, TagScheme::iob2, TagSide::suffix) == std::vector<Entity>{{"work-of-art", 0, 1}});
  const Tokens prefixed = {"B-work-of-art"};
  CHECK(find_entities(prefixed) == std::vector<Entity>{{"work-of-art", 0, 0}});
}

TEST_CASE("entities: no tags, no entities") { CHECK(find_entities({}).empty()); }

TEST_CASE("entities: schemes are known by name") {
  CHECK(tag_scheme("BIOES") == TagScheme::iobes);
  CHECK(tag_scheme("iob2") == TagScheme::iob2);
  CHECK_THROWS_WITH_AS(static_cast<void>(tag_scheme("BIO")),
                       "tag scheme 'BIO': unknown; wanted lenient, IOB1, IOB2, IOE1, IOE2, IOBES or BILOU", ConfigError);
}

TEST_CASE("entities: empty tags and letters of another scheme are refused") {
  const Tokens empty = {"O", ""};
  const Tokens other = {"B-A", "L-A"};
  CHECK_THROWS_WITH_AS(static_cast<void>(find_entities(empty)), "tag 2: empty; wanted O or a tag with a type", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(find_entities(other, TagScheme::iobes)),
                       "tag 'L-A': letter L is not in IOBES; wanted one of IOBES", FileError);
}

}  // namespace entities_test
