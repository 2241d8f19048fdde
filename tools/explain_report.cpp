#include "tools/explain_report.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace preamble {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kGiga = 1e9;

/// A scope cut at its first number: `encoder.block.` `3` `.self_attention`.
struct Place {
  std::string before;
  std::int64_t layer = -1;
  std::string behind;
};

Place place_of(const std::string& scope) {
  std::size_t begin = 0;
  while (begin < scope.size()) {
    const std::size_t end = std::min(scope.find('.', begin), scope.size());
    const std::string word = scope.substr(begin, end - begin);
    if (!word.empty() && word.size() < 10 && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; })) {
      return {scope.substr(0, begin), std::stoll(word), scope.substr(end)};
    }
    begin = end + 1;
  }
  return {scope, -1, ""};
}

bool same_cost(const ScopeCost& a, const ScopeCost& b) {
  const auto all = [](const ScopeCost& c) {
    return std::tie(c.forward_rows, c.backward_rows, c.forward_flops, c.backward_flops, c.recomputed_flops, c.kept_bytes, c.gradient_bytes);
  };
  return all(a) == all(b);
}

/// The parts of one layer, or a single part that belongs to none.
struct Layer {
  std::string before;
  std::int64_t first = -1;
  std::int64_t last = -1;
  std::vector<ReportLine> parts;
  std::vector<std::string> names;  ///< behind the number
};

bool same_layer(const Layer& a, const Layer& b) {
  if (a.first < 0 || b.first != a.last + 1 || a.before != b.before || a.names != b.names) return false;
  return std::ranges::equal(a.parts, b.parts, [](const ReportLine& x, const ReportLine& y) {
    return same_cost(x.step, y.step) && x.full.has_value() == y.full.has_value() && (!x.full || same_cost(*x.full, *y.full));
  });
}

std::vector<Layer> layers_of(const std::vector<ReportLine>& lines) {
  std::vector<Layer> layers;
  for (const auto& line : lines) {
    const Place place = place_of(line.part);
    if (place.layer < 0 || layers.empty() || layers.back().before != place.before || layers.back().first != place.layer) {
      layers.push_back({place.before, place.layer, place.layer, {}, {}});
    }
    layers.back().parts.push_back(line);
    layers.back().names.push_back(place.behind);
  }
  return layers;
}

std::string rows_of(const ScopeCost& cost) {
  const auto joined = [](const std::vector<std::string>& names) {
    return names.empty() ? std::string("-") : fmt::format("{}", fmt::join(names, "+"));
  };
  return fmt::format("{} / {}", joined(cost.forward_rows), joined(cost.backward_rows));
}

/// A number, or a dash where there is nothing at all.
std::string number(double value, double unit) { return value == 0 ? "-" : fmt::format("{:.2f}", value / unit); }

void put_parts(std::string& text, const PlannedStep& step, const PlannedStep* full) {
  const auto lines = report_lines(step, full);
  std::size_t part_width = 4;
  std::size_t rows_width = 23;
  for (const auto& line : lines) {
    part_width = std::max(part_width, line.part.size());
    rows_width = std::max(rows_width, rows_of(line.step).size());
  }
  auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "Costs of each layer: GFLOP forward, backward and recomputed; MiB kept for the backward pass and of gradients of trained "
                 "tensors.\n\n");
  fmt::format_to(out, "{:<{}}  {:<{}}{:>47}", "", part_width, "", rows_width, step.method + ": ");
  fmt::format_to(out, "{}\n", full != nullptr ? fmt::format("{:>47}", "full fine-tuning: ") : "");
  constexpr auto kColumns = "{:>9}{:>10}{:>11}{:>8}{:>9}";
  const std::string header = fmt::format(kColumns, "forward", "backward", "recomputed", "kept", "gradient");
  fmt::format_to(out, "{:<{}}  {:<{}}{}{}\n", "part", part_width, "rows, forward / backward", rows_width, header,
                 full != nullptr ? header : "");
  const auto columns = [&](const ScopeCost& c) {
    fmt::format_to(out, kColumns, number(c.forward_flops, kGiga), number(c.backward_flops, kGiga), number(c.recomputed_flops, kGiga),
                   number(static_cast<double>(c.kept_bytes), kMiB), number(static_cast<double>(c.gradient_bytes), kMiB));
  };
  for (const auto& line : lines) {
    fmt::format_to(out, "{:<{}}  {:<{}}", line.part, part_width, rows_of(line.step), rows_width);
    columns(line.step);
    if (line.full) columns(*line.full);
    text += '\n';
  }
}

void put_totals(std::string& text, const PlannedStep& step, const PlannedStep* full) {
  auto out = std::back_inserter(text);
  const auto line = [&](std::string_view label, auto value, double unit) {
    const auto a = static_cast<double>(value(step));
    fmt::format_to(out, "{:<44}{:>12}", label, number(a, unit));
    if (full != nullptr) {
      const auto b = static_cast<double>(value(*full));
      fmt::format_to(out, "{:>12}{:>12}", number(b, unit), a != 0 && b != 0 ? fmt::format("{:.2f}x", b / a) : "");
    }
    text += '\n';
  };
  fmt::format_to(out, "\n{:<44}{:>12}{}\n", "In total", step.method,
                 full != nullptr ? fmt::format("{:>12}{:>12}", "full", "full/" + step.method) : "");
  line(
      "frozen weights, MiB", [](const PlannedStep& s) { return s.memory.frozen; }, kMiB);
  line(
      "trained tensors, MiB", [](const PlannedStep& s) { return s.memory.trained; }, kMiB);
  line(
      "optimizer state (AdamW), MiB", [](const PlannedStep& s) { return s.memory.optimizer; }, kMiB);
  line(
      "arena: activations, gradients, inputs, MiB", [](const PlannedStep& s) { return s.memory.arena; }, kMiB);
  line(
      "  gradients in it, MiB", [](const PlannedStep& s) { return s.memory.gradients; }, kMiB);
  line(
      "  its lower bound, MiB", [](const PlannedStep& s) { return s.memory.lower_bound; }, kMiB);
  line(
      "  kept for the backward pass, MiB",
      [](const PlannedStep& s) {
        return std::accumulate(s.parts.begin(), s.parts.end(), std::int64_t{0},
                               [](std::int64_t sum, const ScopeCost& c) { return sum + c.kept_bytes; });
      },
      kMiB);
  line(
      "total peak, MiB", [](const PlannedStep& s) { return s.memory.total(); }, kMiB);
  line(
      "beyond the model's weights, MiB", [](const PlannedStep& s) { return s.memory.beyond_weights(); }, kMiB);
  line(
      "forward, GFLOP", [](const PlannedStep& s) { return s.forward_flops; }, kGiga);
  line(
      "backward, GFLOP", [](const PlannedStep& s) { return s.backward_flops; }, kGiga);
  line(
      "recomputed, GFLOP", [](const PlannedStep& s) { return s.recomputed_flops; }, kGiga);
  line(
      "a step, GFLOP", [](const PlannedStep& s) { return s.flops(); }, kGiga);
}

void put_passes(std::string& text, const PlannedStep& step) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "\n{:<24}{:>8}{:>12}{:>20}\n", step.method + ", after", "nodes", "GFLOP", "most live, MiB");
  for (const auto& pass : step.passes) {
    fmt::format_to(out, "{:<24}{:>8}{:>12.2f}{:>20.2f}\n", pass.pass, pass.nodes, pass.flops / kGiga,
                   static_cast<double>(pass.live_bytes) / kMiB);
  }
}

}  // namespace

std::vector<ReportLine> report_lines(const PlannedStep& step, const PlannedStep* full) {
  std::vector<ReportLine> lines;
  for (const auto& cost : step.parts) {
    ReportLine& line = lines.emplace_back(ReportLine{cost.scope, 1, cost, std::nullopt});
    if (full == nullptr) continue;
    const auto found = std::ranges::find(full->parts, cost.scope, &ScopeCost::scope);
    if (found != full->parts.end()) line.full = *found;
  }
  std::vector<Layer> joined;
  for (const auto& layer : layers_of(lines)) {
    if (!joined.empty() && same_layer(joined.back(), layer)) {
      joined.back().last = layer.last;
    } else {
      joined.push_back(layer);
    }
  }
  lines.clear();
  for (const auto& layer : joined) {
    for (std::size_t i = 0; i < layer.parts.size(); ++i) {
      ReportLine line = layer.parts[i];
      line.layers = layer.last - layer.first + 1;
      if (layer.last > layer.first) line.part = fmt::format("{}{}-{}{}", layer.before, layer.first, layer.last, layer.names[i]);
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

nlohmann::json to_json(const PlannedStep& step) {
  nlohmann::json parts = nlohmann::json::array();
  for (const auto& c : step.parts) {
    parts.push_back({{"scope", c.scope},
                     {"forward_rows", c.forward_rows},
                     {"backward_rows", c.backward_rows},
                     {"forward_flops", c.forward_flops},
                     {"backward_flops", c.backward_flops},
                     {"recomputed_flops", c.recomputed_flops},
                     {"kept_bytes", c.kept_bytes},
                     {"gradient_bytes", c.gradient_bytes},
                     {"has_backward", c.has_backward()}});
  }
  nlohmann::json passes = nlohmann::json::array();
  for (const auto& p : step.passes) {
    passes.push_back({{"pass", p.pass}, {"nodes", p.nodes}, {"flops", p.flops}, {"live_bytes", p.live_bytes}});
  }
  nlohmann::json rows = nlohmann::json::object();
  for (const auto& space : step.row_spaces) rows[space.name] = space.rows;
  const MemoryNeed& m = step.memory;
  return {{"method", step.method},
          {"memory",
           {{"weights_bytes", m.weights},
            {"frozen_bytes", m.frozen},
            {"trained_bytes", m.trained},
            {"optimizer_bytes", m.optimizer},
            {"arena_bytes", m.arena},
            {"gradient_bytes", m.gradients},
            {"lower_bound_bytes", m.lower_bound},
            {"total_peak_bytes", m.total()}}},
          {"flops",
           {{"forward", step.forward_flops},
            {"backward", step.backward_flops},
            {"recomputed", step.recomputed_flops},
            {"total", step.flops()}}},
          {"row_spaces", std::move(rows)},
          {"parts", std::move(parts)},
          {"passes", std::move(passes)}};
}

nlohmann::json to_json(const CacheNeed& cache) {
  return {{"virtual_rows_bytes", cache.virtual_rows},
          {"inputs_bytes", cache.inputs},
          {"generated_bytes", cache.generated},
          {"total_bytes", cache.total()}};
}

std::string to_text(const CacheNeed& cache) {
  std::string text;
  const auto line = [&](std::string_view label, std::int64_t bytes) {
    fmt::format_to(std::back_inserter(text), "{:<44}{:>12}\n", label, number(static_cast<double>(bytes), kMiB));
  };
  line("key/value cache, MiB", cache.total());
  line("  prompts and prefixes, once a slot", cache.virtual_rows);
  line("  sources or prompts' tokens, once a sequence", cache.inputs);
  line("  generated tokens of all beams", cache.generated);
  return text;
}

std::string to_text(const PlannedStep& step, const PlannedStep* full) {
  std::string text = "Rows:";
  for (const auto& space : step.row_spaces) text += fmt::format(" {} {}", space.name, space.rows);
  text += ".\n";
  put_parts(text, step, full);
  put_totals(text, step, full);
  put_passes(text, step);
  if (full != nullptr) put_passes(text, *full);
  return text;
}

}  // namespace preamble
