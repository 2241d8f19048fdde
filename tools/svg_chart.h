// Charts as SVG elements: for pages that show without a network, and as files.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace preamble {

/// `text` with `&`, `<`, `>` and `"` as entities; control characters as U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

/// What stands around a chart.
struct ChartText {
  std::string title, x, y;
};

/// A line through points with x ascending.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// Lines with markers, a legend where there are several. Points that are not finite are left out.
[[nodiscard]] std::string line_chart(const ChartText& text, const std::vector<Series>& series);

/// Horizontal bars, as many as names, from 0; each with its value.
[[nodiscard]] std::string bar_chart(const ChartText& text, const std::vector<std::pair<std::string, double>>& bars);

/// A square matrix with a name for each row and column, as colours from `low` (blue) over white at 0 to `high` (red); `values`: also as
/// numbers. A row is `names.size()` numbers.
[[nodiscard]] std::string heat_map(const ChartText& text, const std::vector<std::string>& names, const std::vector<double>& matrix, double low,
                                   double high, bool values);

/// An element of a page as a file of its own.
[[nodiscard]] std::string svg_file(const std::string& element);

}  // namespace preamble
