#include "tools/sweep_plot.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace sweep_plot_test {

using namespace preamble;

TEST_CASE("sweep_plot: mean and deviation of a sample") {
  CHECK(moments_of({1, 2, 3, 4}).mean == 2.5);
  CHECK(moments_of({1, 2, 3, 4}).deviation == doctest::Approx(1.2909944487));
  CHECK(moments_of({7}).deviation == 0);
}

TEST_CASE("sweep_plot: places stand in the order of their numbers, a line for each series") {
  const std::vector<PlotPoint> points = {{"a", "100", {0.5, 0.7}}, {"a", "5", {0.4}}, {"b<", "20", {0.6}}};
  CHECK(plot_table(points, "length") ==
        "| length | 5 | 20 | 100 |\n| --- | --- | --- | --- |\n| a | 0.4000 |  | 0.6000 ± 0.1414 |\n| b< |  | 0.6000 |  |\n");
  const std::string svg = draw_plot(points, "t & u", "length", "accuracy");
  CHECK(svg.find("t &amp; u") != std::string::npos);
  CHECK(svg.find("b&lt;") != std::string::npos);
  CHECK(svg.find(">5</text>") < svg.find(">20</text>"));
  CHECK(svg.find(">20</text>") < svg.find(">100</text>"));
  std::size_t circles = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++circles;
  CHECK(circles == 3);
  CHECK_THROWS_AS((void)draw_plot({}, "t", "x", "y"), ConfigError);
}

}  // namespace sweep_plot_test
