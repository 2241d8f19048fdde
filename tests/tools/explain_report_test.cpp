#include "tools/explain_report.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace explain_report_test {

using namespace preamble;

namespace {

ScopeCost cost(const std::string& scope, double flops) {
  ScopeCost c;
  c.scope = scope;
  c.forward_flops = flops;
  return c;
}

PlannedStep step(std::vector<ScopeCost> parts) {
  PlannedStep planned;
  planned.method = "prompt";
  planned.parts = std::move(parts);
  return planned;
}

}  // namespace

TEST_CASE("explain report: equal neighbouring layers are one line") {
  const auto lines = report_lines(step({cost("in", 1), cost("block.0.a", 2), cost("block.0.b", 3), cost("block.1.a", 2),
                                        cost("block.1.b", 3), cost("block.2.a", 2), cost("block.2.b", 4), cost("out", 1)}),
                                  nullptr);
  std::vector<std::string> parts;
  for (const auto& line : lines) parts.push_back(line.part);
  CHECK(parts == std::vector<std::string>{"in", "block.0-1.a", "block.0-1.b", "block.2.a", "block.2.b", "out"});
  CHECK(lines[1].layers == 2);
  CHECK(lines[3].layers == 1);
}

TEST_CASE("explain report: layers that differ in the other program alone stay apart") {
  const auto prompt = step({cost("block.0.a", 2), cost("block.1.a", 2)});
  const auto full = step({cost("block.0.a", 5), cost("block.1.a", 6)});
  CHECK(report_lines(prompt, nullptr).size() == 1);
  CHECK(report_lines(prompt, &full).size() == 2);
}

TEST_CASE("explain report: JSON and text show what costs nothing as nothing") {
  const auto planned = step({cost("block.0.a", 2e9)});
  const auto json = to_json(planned);
  CHECK(json.at("parts").at(0).at("has_backward") == false);
  CHECK(json.at("parts").at(0).at("forward_flops") == 2e9);
  const std::string text = to_text(planned, nullptr);
  const std::string line = text.substr(text.find("\nblock.0.a") + 1);
  CHECK(line.starts_with("block.0.a  - / - "));
  CHECK(line.find(" 2.00         -          -       -        -\n") == line.find(" 2.00"));
}

TEST_CASE("explain report: a cache is shown by what it is kept once for") {
  constexpr std::int64_t kMiB = 1 << 20;
  const CacheNeed cache{.virtual_rows = kMiB / 2, .inputs = 3 * kMiB, .generated = 4 * kMiB};
  const std::string text = to_text(cache);
  CHECK(text.find("key/value cache, MiB                                7.50\n") == 0);
  CHECK(text.find("once a slot                 0.50\n") != std::string::npos);
  CHECK(to_json(cache).at("total_bytes") == 15 * kMiB / 2);
}

}  // namespace explain_report_test
