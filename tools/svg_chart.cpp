#include "tools/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include <fmt/format.h>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::array<std::string_view, 8> kColours = {"#3b6fb6", "#c8553d", "#4c956c", "#8e6bbf", "#d99a2b", "#3a9aa8", "#a8577e", "#6b6b6b"};
constexpr double kCharacter = 7.2;  ///< width of a character of 12 px, about

constexpr std::string_view kStyle =
    "<style>.chart text{font:12px system-ui,sans-serif;fill:#222}.chart .title{font-weight:600;font-size:13px}"
    ".chart .grid{stroke:#e3e3e3}.chart .axis{stroke:#888}</style>";

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>", x, y, anchor, more, escaped(text));
}

std::string opened(double width, double height, const std::string& title) {
  return fmt::format(
      "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\" "
      "aria-label=\"{2}\">{3}{4}",
      width, height, escaped(title), kStyle, text_at(0, 16, "start", title, " class=\"title\""));
}

/// A step of 1, 2 or 5 times a power of ten that cuts the range in about `parts`.
double nice_step(double range, double parts) {
  const double raw = range / parts;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double rest = raw / power;
  return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

/// From data to pixels.
struct Axis {
  double low, high, from, to;

  [[nodiscard]] double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
  /// `whole`: at whole numbers alone.
  [[nodiscard]] std::vector<double> ticks(double parts, bool whole = false) const {
    const double step = whole ? std::max(1.0, nice_step(high - low, parts)) : nice_step(high - low, parts);
    std::vector<double> values;
    for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) values.push_back(k == 0 ? 0 : k * step);
    return values;
  }
};

/// The range of values, a little wider; never empty.
Axis axis_of(const std::vector<double>& values, double from, double to, bool margin) {
  const auto [least, most] = std::ranges::minmax(values);
  double low = least, high = most;
  if (high - low < 1e-12 * std::max(1.0, std::abs(high))) low -= 0.5, high += 0.5;
  const double extra = margin ? 0.05 * (high - low) : 0;
  return {low - extra, high + extra, from, to};
}

/// White at 0, red above, blue below.
std::string colour_of(double value, double low, double high) {
  if (!std::isfinite(value)) return "#bbbbbb";
  constexpr std::array<double, 3> kRed = {200, 85, 61}, kBlue = {59, 111, 182};
  const bool above = value >= 0;
  const double end = above ? high : low;
  const double share = end == 0 ? 0 : std::clamp(value / end, 0.0, 1.0);
  const auto& full = above ? kRed : kBlue;
  const auto part = [&](std::size_t i) { return static_cast<int>(std::lround(255 + share * (full.at(i) - 255))); };
  return fmt::format("#{:02x}{:02x}{:02x}", part(0), part(1), part(2));
}

std::size_t longest(const std::vector<std::string>& names) {
  std::size_t most = 1;
  for (const auto& name : names) most = std::max(most, count_chars(name));
  return most;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char32_t c : decode_utf8(text)) {
    switch (c) {
      case U'&': result += "&amp;"; break;
      case U'<': result += "&lt;"; break;
      case U'>': result += "&gt;"; break;
      case U'"': result += "&quot;"; break;
      default: append_utf8(c < 0x20 || (c >= 0x7F && c < 0xA0) ? U'\uFFFD' : c, result);
    }
  }
  return result;
}

std::string line_chart(const ChartText& text, const std::vector<Series>& series) {
  constexpr double kWidth = 480, kHeight = 260, kLeft = 62, kTop = 30, kBottom = 44;
  std::vector<std::string> names;
  std::vector<double> xs, ys;
  for (const auto& s : series) {
    names.push_back(s.name);
    for (const auto& [x, y] : s.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      xs.push_back(x);
      ys.push_back(y);
    }
  }
  const double legend = series.size() > 1 ? 30 + kCharacter * static_cast<double>(longest(names)) : 10;
  const double right = kWidth, height = std::max(kHeight, kTop + kBottom + 18.0 * static_cast<double>(series.size()));
  std::string svg = opened(right + legend, height, text.title);
  if (xs.empty()) return svg + text_at(kLeft, height / 2, "start", "no points") + "</svg>";
  const Axis x = axis_of(xs, kLeft, right - 8, false), y = axis_of(ys, height - kBottom, kTop, true);
  for (const double tick : y.ticks(5)) {
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, right - 8, y.at(tick), y.at(tick));
    svg += text_at(kLeft - 6, y.at(tick) + 4, "end", fmt::format("{:.4g}", tick));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, right - 8, height - kBottom);
  const bool whole = std::ranges::all_of(xs, [](double value) { return value == std::floor(value); });
  for (const double tick : x.ticks(7, whole)) svg += text_at(x.at(tick), height - kBottom + 16, "middle", fmt::format("{:.6g}", tick));
  svg += text_at((kLeft + right) / 2, height - 8, "middle", text.x);
  svg += text_at(14, (kTop + height - kBottom) / 2, "middle", text.y, fmt::format(" transform=\"rotate(-90 14 {:.1f})\"", (kTop + height - kBottom) / 2));
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto colour = kColours.at(i % kColours.size());
    std::string path, marks;
    for (const auto& [px, py] : series[i].points) {
      if (!std::isfinite(px) || !std::isfinite(py)) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x.at(px), y.at(py));
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"><title>{}: {:.6g}, {:.5g}</title></circle>", x.at(px), y.at(py),
                           colour, escaped(series[i].name), px, py);
    }
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\"/>{}", path, colour, marks);
    if (series.size() == 1) continue;
    const double at = kTop + 10 + 18.0 * static_cast<double>(i);
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>", right + 4, at - 9, colour);
    svg += text_at(right + 19, at, "start", series[i].name);
  }
  return svg + "</svg>";
}

std::string bar_chart(const ChartText& text, const std::vector<std::pair<std::string, double>>& bars) {
  constexpr double kBar = 20, kTop = 28, kLength = 340;
  std::vector<std::string> names;
  double most = 0;
  for (const auto& [name, value] : bars) {
    names.push_back(name);
    if (std::isfinite(value)) most = std::max(most, value);
  }
  const double left = 14 + kCharacter * static_cast<double>(longest(names));
  const double height = kTop + kBar * static_cast<double>(bars.size()) + 26;
  std::string svg = opened(left + kLength + 60, height, text.title);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double y = kTop + kBar * static_cast<double>(i);
    const double value = std::isfinite(bars[i].second) ? std::max(0.0, bars[i].second) : 0;
    const double length = most > 0 ? kLength * value / most : 0;
    svg += text_at(left - 8, y + 13, "end", names[i]);
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>", left, y + 2, length, kBar - 5, kColours[0]);
    svg += text_at(left + length + 5, y + 13, "start", fmt::format("{:.4g}", bars[i].second));
  }
  return svg + text_at(left + kLength / 2, height - 6, "middle", text.x) + "</svg>";
}

std::string heat_map(const ChartText& text, const std::vector<std::string>& names, const std::vector<double>& matrix, double low, double high,
                     bool values) {
  require<ShapeError>(matrix.size() == names.size() * names.size(), "heat map: {} names and {} values; wanted a square", names.size(), matrix.size());
  const auto count = static_cast<double>(names.size());
  const double cell = values ? 46 : std::clamp(480 / std::max(1.0, count), 4.0, 26.0);
  const bool named = cell >= 10;
  const double left = named ? 12 + kCharacter * static_cast<double>(longest(names)) : 8;
  // names of columns stand upright
  const double top = 26 + (named ? 6 + kCharacter * static_cast<double>(longest(names)) : 4);
  std::string svg = opened(std::max(left + cell * count + 90, kCharacter * static_cast<double>(text.title.size())), top + cell * count + 26, text.title);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double at = cell * static_cast<double>(i);
    if (named) {
      svg += text_at(left - 6, top + at + cell / 2 + 4, "end", names[i]);
      const double x = left + at + cell / 2 + 4;
      svg += text_at(x, top - 6, "start", names[i], fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, top - 6));
    }
    for (std::size_t j = 0; j < names.size(); ++j) {
      const double value = matrix[i * names.size() + j];
      const double x = left + cell * static_cast<double>(j);
      svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"><title>{} | {}: {:.3f}</title></rect>", x, top + at,
                         cell - 0.5, cell - 0.5, colour_of(value, low, high), escaped(names[i]), escaped(names[j]), value);
      if (values) svg += text_at(x + cell / 2, top + at + cell / 2 + 4, "middle", fmt::format("{:.2f}", value));
    }
  }
  // the scale
  constexpr int kSteps = 20;
  const double x = left + cell * count + 18, span = std::max(60.0, std::min(160.0, cell * count));
  for (int i = 0; i < kSteps; ++i) {
    const double value = high - (high - low) * (i + 0.5) / kSteps;
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"{:.2f}\" fill=\"{}\"/>", x, top + span * i / kSteps, span / kSteps + 0.3,
                       colour_of(value, low, high));
  }
  svg += text_at(x + 17, top + 9, "start", fmt::format("{:.2g}", high)) + text_at(x + 17, top + span, "start", fmt::format("{:.2g}", low));
  return svg + text_at(left, top + cell * count + 18, "start", text.x) + "</svg>";
}

std::string svg_file(const std::string& element) { return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + element + "\n"; }

}  // namespace preamble
