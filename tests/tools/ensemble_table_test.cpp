#include "tools/ensemble_table.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace ensemble_table_test {

using namespace preamble;

namespace {

EnsembleTable table() {
  EnsembleTable table;
  table.add_member("a", {{"accuracy", 0.5}, {"loss", 2.0}});
  table.add_member("b", {{"accuracy", 0.75}, {"loss", 1.0}});
  table.add_ensemble("majority", {{"accuracy", 0.8}, {"loss", 0.5}});
  return table;
}

}  // namespace

TEST_CASE("ensemble_table: mean and best of the members, best loss the smallest") {
  CHECK(table().mean().at("accuracy") == doctest::Approx(0.625));
  CHECK(table().best().at("accuracy") == 0.75);
  CHECK(table().best().at("loss") == 1.0);
}

TEST_CASE("ensemble_table: a line for each member, the mean, the best and each way") {
  CHECK(table().text() ==
        "                accuracy          loss\n"
        "a                 0.5000        2.0000\n"
        "b                 0.7500        1.0000\n"
        "mean              0.6250        1.5000\n"
        "best              0.7500        1.0000\n"
        "majority          0.8000        0.5000\n");
  const auto json = table().json();
  CHECK(json["members"][1]["adapter"] == "b");
  CHECK(json["ensemble"]["majority"]["accuracy"] == 0.8);
  CHECK_THROWS_AS((void)EnsembleTable().text(), ConfigError);
}

}  // namespace ensemble_table_test
