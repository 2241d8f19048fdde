// Results of a sweep as a picture.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace preamble {

/// Scores at one place of one line: those of the seeds.
struct PlotPoint {
  std::string series, x;
  std::vector<double> scores;
};

/// Mean, and the standard deviation of a sample (n - 1); 0 for one value.
struct SampleMoments {
  double mean = 0, deviation = 0;
};
[[nodiscard]] SampleMoments moments_of(const std::vector<double>& values);

/// SVG: a line for each series through the means, with a bar of one standard deviation to both sides. Places along x are equally far from
/// each other, numbers in ascending order, other values in that of the points. Throws ConfigError for no points.
[[nodiscard]] std::string draw_plot(const std::vector<PlotPoint>& points, const std::string& title, const std::string& x_name,
                                    const std::string& y_name);

/// The same as a table in Markdown: a row for each series, a column for each x.
[[nodiscard]] std::string plot_table(const std::vector<PlotPoint>& points, const std::string& x_name);

}  // namespace preamble
