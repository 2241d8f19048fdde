#include "tools/sweep_plot.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "tools/svg_chart.h"

namespace preamble {
namespace {

constexpr double kWidth = 680, kHeight = 440, kLeft = 76, kTop = 76, kRight = 24, kBottom = 64;
constexpr double kLetter = 7.2;  ///< width of a character of 13 px, about
constexpr std::array<const char*, 8> kLineColours = {"#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0e7490", "#be123c", "#4d7c0f"};

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

template <class Field>
std::vector<std::string> distinct(const std::vector<PlotPoint>& points, Field field) {
  std::vector<std::string> values;
  for (const auto& point : points) {
    if (std::ranges::find(values, point.*field) == values.end()) values.push_back(point.*field);
  }
  return values;
}

std::vector<std::string> places_of(const std::vector<PlotPoint>& points) {
  auto places = distinct(points, &PlotPoint::x);
  if (std::ranges::all_of(places, [](const std::string& x) { return number_of(x).has_value(); }))
    std::ranges::stable_sort(places, {}, [](const std::string& x) { return *number_of(x); });
  return places;
}

std::string label_at(double x, double y, std::string_view text, std::string_view more) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, escaped(text));
}

/// About five round numbers from `low` to `high`.
std::vector<double> ticks(double low, double high) {
  const double rough = (high - low) / 5, unit = std::pow(10.0, std::floor(std::log10(rough)));
  double step = unit * 10;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (unit * factor >= rough) step = unit * factor;
  }
  std::vector<double> result;
  for (double i = std::ceil(low / step); i <= std::floor(high / step); ++i) result.push_back(i * step);
  return result;
}

const PlotPoint* find(const std::vector<PlotPoint>& points, const std::string& series, const std::string& x) {
  const auto found = std::ranges::find_if(points, [&](const PlotPoint& point) { return point.series == series && point.x == x; });
  return found == points.end() ? nullptr : &*found;
}

}  // namespace

SampleMoments moments_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  SampleMoments result{std::accumulate(values.begin(), values.end(), 0.0) / count, 0};
  if (values.size() < 2) return result;
  for (const double value : values) result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(result.deviation / (count - 1));
  return result;
}

std::string draw_plot(const std::vector<PlotPoint>& points, const std::string& title, const std::string& x_name, const std::string& y_name) {
  require<ConfigError>(!points.empty(), "plot '{}': no points were given; wanted one at least", title);
  const auto places = places_of(points);
  const auto lines = distinct(points, &PlotPoint::series);
  double low = INFINITY, high = -INFINITY;
  for (const auto& point : points) {
    const auto [mean, deviation] = moments_of(point.scores);
    low = std::min(low, mean - deviation);
    high = std::max(high, mean + deviation);
  }
  const double margin = std::max(1e-3, 0.08 * (high - low));
  low -= margin;
  high += margin;
  const auto at_x = [&](const std::string& x) {
    const auto place = static_cast<double>(std::ranges::find(places, x) - places.begin());
    return kLeft + (kWidth - kLeft - kRight) * (place + 0.5) / static_cast<double>(places.size());
  };
  const auto at_y = [&](double value) { return kHeight - kBottom - (kHeight - kTop - kBottom) * (value - low) / (high - low); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"13\">\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  svg += label_at(kWidth / 2, 22, title, "text-anchor=\"middle\" font-size=\"15\"");
  svg += label_at(kWidth / 2, kHeight - 14, x_name, "text-anchor=\"middle\"");
  svg += label_at(14, kTop - 10, y_name, "");
  double legend = kLeft;  // above the lines, which may be anywhere
  for (const double value : ticks(low, high)) {
    svg += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", kLeft, kWidth - kRight, at_y(value),
                       at_y(value));
    svg += label_at(kLeft - 8, at_y(value) + 4, fmt::format("{:.4g}", value), "text-anchor=\"end\"");
  }
  for (const auto& x : places) svg += label_at(at_x(x), kHeight - kBottom + 20, x, "text-anchor=\"middle\"");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* colour = kLineColours[i % kLineColours.size()];
    // bars of several lines stand beside each other
    const double shift = 5 * (static_cast<double>(i) - static_cast<double>(lines.size() - 1) / 2);
    std::string path, marks;
    for (const auto& x : places) {
      const PlotPoint* point = find(points, lines[i], x);
      if (point == nullptr) continue;
      const auto [mean, deviation] = moments_of(point->scores);
      const double to = at_x(x) + shift;
      path += fmt::format("{:.1f},{:.1f} ", to, at_y(mean));
      marks += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\"/>\n", to, at_y(mean - deviation),
                           at_y(mean + deviation), colour);
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", to, at_y(mean), colour);
    }
    svg += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n", colour, path) + marks;
    if (lines[i].empty()) continue;
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"36\" width=\"10\" height=\"10\" fill=\"{}\"/>\n", legend, colour);
    svg += label_at(legend + 15, 45, lines[i], "");
    legend += 35 + kLetter * static_cast<double>(lines[i].size());
  }
  return svg + "</svg>\n";
}

std::string plot_table(const std::vector<PlotPoint>& points, const std::string& x_name) {
  const auto places = places_of(points);
  std::string table = fmt::format("| {} | {} |\n|{}\n", x_name, fmt::join(places, " | "), [&] {
    std::string rule;
    for (std::size_t i = 0; i <= places.size(); ++i) rule += " --- |";
    return rule;
  }());
  for (const auto& series : distinct(points, &PlotPoint::series)) {
    table += "| " + series + " |";
    for (const auto& x : places) {
      const PlotPoint* point = find(points, series, x);
      if (point == nullptr) {
        table += "  |";
        continue;
      }
      const auto [mean, deviation] = moments_of(point->scores);
      table += fmt::format(" {:.4f}{} |", mean, point->scores.size() > 1 ? fmt::format(" ± {:.4f}", deviation) : "");
    }
    table += '\n';
  }
  return table;
}

}  // namespace preamble
