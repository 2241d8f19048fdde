#include "tools/report_page.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/svg_chart.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
<style>
body{{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:1080px;margin:2em auto;padding:0 1.2em}}
h1{{font-size:1.5em;margin-bottom:.2em}} h2{{font-size:1.15em;margin:2em 0 .4em;border-bottom:1px solid #ddd;padding-bottom:.2em}}
p{{max-width:46em;margin:.4em 0 .8em}} .muted{{color:#666}}
table{{border-collapse:collapse;margin:.6em 0}} th,td{{padding:.22em .7em;text-align:left;border-bottom:1px solid #eee;vertical-align:top}}
th{{font-weight:600;background:#f6f6f6}} td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}
.w{{display:inline-block;background:#eef3fa;border-radius:4px;padding:0 .4em;margin:1px 2px;white-space:nowrap;font:13px ui-monospace,monospace}}
.w small{{color:#678;font:11px system-ui,sans-serif;margin-left:.3em}}
.scroll{{overflow-x:auto}} .charts{{display:flex;flex-wrap:wrap;gap:1.5em}} svg{{margin:.4em 0}} details{{margin:.4em 0}} summary{{cursor:pointer;font-weight:600}}
</style></head><body>
)";

std::string number(const Json& value) { return value.is_null() ? "-" : fmt::format("{:.4g}", value.get<double>()); }

std::string shown_text(const Json& value) { return value.get<std::string>(); }

/// Words in boxes, each with its number.
std::string words_of(const Json& list) {
  std::string html;
  for (const auto& entry : list)
    html += fmt::format("<span class=\"w\">{}<small>{:.2f}</small></span>", escaped(shown_text(entry["token"])), entry["value"].get<double>());
  return html;
}

/// `0, 3-7, 9`
std::string ranges_of(const Json& rows) {
  std::vector<std::string> parts;
  const auto all = rows.get<std::vector<std::int64_t>>();
  for (std::size_t i = 0; i < all.size();) {
    std::size_t j = i;
    while (j + 1 < all.size() && all[j + 1] == all[j] + 1) ++j;
    parts.push_back(i == j ? fmt::format("{}", all[i]) : fmt::format("{}-{}", all[i], all[j]));
    i = j + 1;
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string heading(std::string_view title, std::string_view text) {
  return fmt::format("<h2>{}</h2>\n<p>{}</p>\n", title, text);
}

std::string measures(const Json& facts) {
  const bool started = facts["measures"].front().contains("start");
  std::string html = heading("Against random vectors",
                             "The same numbers for as many random vectors of the same mean length. What a prompt shares with them says nothing "
                             "about what it has learned.");
  html += fmt::format("<table><tr><th></th>{}<th class=\"n\">this prompt</th><th class=\"n\">random</th></tr>\n",
                      started ? "<th class=\"n\">its start</th>" : "");
  for (const auto& m : facts["measures"]) {
    html += fmt::format("<tr><td>{}</td>", escaped(shown_text(m["name"])));
    if (started) html += fmt::format("<td class=\"n\">{}</td>", number(m["start"]));
    html += fmt::format("<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n", number(m["prompt"]), number(m["random"]));
  }
  return html + "</table>\n";
}

std::string rows_table(const Json& facts) {
  std::string html = heading("Nearest words of each row",
                             fmt::format("By cosine, and by dot product, which long embeddings win. The mean length of a word's embedding is {}.",
                                         number(facts["vocabulary_norm"])));
  html += "<div class=\"scroll\"><table><tr><th class=\"n\">row</th><th class=\"n\">length</th><th>by cosine</th><th>by dot product</th></tr>\n";
  for (const auto& row : facts["rows"]) {
    html += fmt::format("<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n", row["row"].get<std::int64_t>(),
                        number(row["norm"]), words_of(row["cosine"]), words_of(row["dot"]));
  }
  return html + "</table></div>\n";
}

std::string clusters(const Json& facts) {
  const Json& c = facts["clusters"];
  std::string html = heading("Clusters of rows", fmt::format("Rows whose mean cosine is at least {} are one cluster (average linkage). The words are "
                                                             "those closest to a cluster's mean.",
                                                             number(c["threshold"])));
  std::vector<std::string> names;
  for (const auto& row : c["order"]) names.push_back(fmt::format("{}", row.get<std::int64_t>()));
  html += "<div class=\"scroll\">" +
          heat_map({.title = "Cosines of rows, cluster by cluster", .x = "row", .y = ""}, names, c["cosines"].get<std::vector<double>>(), -1, 1, false) +
          "</div>\n";
  std::string table;
  std::int64_t alone = 0;
  for (const auto& group : c["groups"]) {
    if (group["rows"].size() == 1) {
      ++alone;
      continue;
    }
    table += fmt::format("<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n", group["rows"].size(), ranges_of(group["rows"]),
                         words_of(group["words"]));
  }
  if (!table.empty()) html += "<table><tr><th class=\"n\">rows</th><th>which</th><th>words near the mean</th></tr>\n" + table + "</table>\n";
  return html + fmt::format("<p class=\"muted\">{} of {} rows are in no cluster with others.</p>\n", alone, c["order"].size());
}

std::string repeated(const Json& facts) {
  std::string html = heading("Words that rows share",
                             "Words that are among the neighbours of several rows. In long prompts many rows share the same ones: the prompt has more "
                             "rows than it needs, or no order.");
  if (facts["repeated"].empty()) return html + "<p class=\"muted\">No word is near two rows.</p>\n";
  std::vector<std::pair<std::string, double>> bars;
  for (const auto& entry : facts["repeated"]) bars.emplace_back(shown_text(entry["token"]), entry["rows"].get<double>());
  return html + bar_chart({.title = "Rows that have the word among their neighbours", .x = "rows", .y = ""}, bars) + "\n";
}

/// A line of each copy's number `field`.
Series series_of(const Json& steps, const char* field, std::string name) {
  Series series{std::move(name), {}};
  for (const auto& step : steps) series.points.emplace_back(step["step"].get<double>(), step[field].get<double>());
  return series;
}

std::string drift(const Json& facts) {
  const Json& end = facts["end"];
  std::string html = heading("Drift from the start", fmt::format("How far rows have gone from the first copy (step {}): ‖p − p₀‖ / ‖p₀‖ and cos(p, p₀), "
                                                                 "means over rows. The adapter itself stands at {} and {}.",
                                                                 facts["drift"].front()["step"].get<std::int64_t>(), number(end["distance"]),
                                                                 number(end["cosine"])));
  html += "<div class=\"charts\">" +
          line_chart({.title = "Relative distance", .x = "updates", .y = "distance"}, {series_of(facts["drift"], "distance", "distance")}) +
          line_chart({.title = "Cosine with the start", .x = "updates", .y = "cosine"}, {series_of(facts["drift"], "cosine", "cosine")}) + "</div>\n";
  Series rows{"row", {}};
  for (const auto& distance : end["row_distances"]) rows.points.emplace_back(static_cast<double>(rows.points.size()), distance.get<double>());
  return html + line_chart({.title = "Distance of each row at the end", .x = facts["kind"] == "prefix" ? "row, site by site" : "row", .y = "distance"}, {rows}) + "\n";
}

std::string followed_words(const Json& facts) {
  std::string html = heading("Label words through training",
                             "For each word the row that lies closest to its embedding, and the word's place among the neighbours of that row: 1 says that "
                             "no other word is closer.");
  if (facts["words"].empty()) return html + "<p class=\"muted\">The task has no label words.</p>\n";
  html += "<table><tr><th>word</th><th class=\"n\">row at the start</th><th class=\"n\">cosine</th><th class=\"n\">place</th><th class=\"n\">row at the "
          "end</th><th class=\"n\">cosine</th><th class=\"n\">place</th></tr>\n";
  std::vector<Series> cosines;
  for (const auto& word : facts["words"]) {
    html += fmt::format("<tr><td><span class=\"w\">{}</span></td>", escaped(shown_text(word["word"])));
    for (const Json* step : {&word["steps"].front(), &word["steps"].back()}) {
      html += fmt::format("<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>", (*step)["row"].get<std::int64_t>(),
                          number((*step)["cosine"]), (*step)["rank"].get<std::int64_t>());
    }
    html += "</tr>\n";
    cosines.push_back(series_of(word["steps"], "cosine", shown_text(word["word"])));
  }
  return html + "</table>\n" + line_chart({.title = "Cosine of the closest row", .x = "updates", .y = "cosine"}, cosines) + "\n";
}

std::string prefix(const Json& facts) {
  std::string html = heading("Words that the prefix resembles",
                             fmt::format("Keys and values of each row beside those that the plain model computes at the same layer for {} single words, by "
                                         "the cosine of all heads together. What random rows come to is drawn beside them.",
                                         facts["compared_tokens"].get<std::int64_t>()));
  for (const auto& place : facts["sites"]) {
    html += fmt::format("<details{}><summary>{}, layer {}</summary>\n<div class=\"scroll\"><table><tr><th class=\"n\">row</th><th>keys</th><th>values</th></tr>\n",
                        &place == &facts["sites"].front() ? " open" : "", escaped(shown_text(place["site"])), place["layer"].get<std::int64_t>());
    for (std::size_t r = 0; r < place["keys"].size(); ++r)
      html += fmt::format("<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n", r, words_of(place["keys"][r]), words_of(place["values"][r]));
    html += "</table></div></details>\n";
  }
  // how close each layer comes, as lines
  std::vector<Series> series;
  for (const auto& place : facts["sites"]) {
    const std::string site = shown_text(place["site"]);
    for (const auto* what : {"keys", "values"}) {
      for (const auto* whose : {"largest", "random"}) {
        const std::string name = fmt::format("{} {}{}", site, what, std::string_view(whose) == "random" ? ", random rows" : "");
        auto line = std::ranges::find(series, name, &Series::name);
        if (line == series.end()) line = series.insert(series.end(), {name, {}});
        if (!place[whose][what].is_null()) line->points.emplace_back(place["layer"].get<double>(), place[whose][what].get<double>());
      }
    }
  }
  return html + line_chart({.title = "Cosine with the nearest word, mean over rows", .x = "layer", .y = "cosine"}, series) + "\n";
}

}  // namespace

std::string report_page(const Json& facts) {
  const std::string adapter = shown_text(facts["adapter"]);
  const bool is_prefix = facts["kind"] == "prefix";
  std::string html = fmt::format(kHead, escaped("What " + adapter + " has learned"));
  html += fmt::format("<h1>{}</h1>\n<p class=\"muted\">A {} of {} virtual tokens{}, seen from {}</p>\n", escaped(adapter), shown_text(facts["kind"]),
                      facts["tokens"].get<std::int64_t>(),
                      is_prefix ? "" : fmt::format(", {} wide", facts["width"].get<std::int64_t>()), escaped(shown_text(facts["model"])));
  if (is_prefix) {
    html += prefix(facts);
  } else {
    html += measures(facts) + rows_table(facts) + clusters(facts) + repeated(facts);
  }
  if (facts.contains("drift")) html += drift(facts);
  if (facts.contains("words")) html += followed_words(facts);
  if (!facts.contains("drift")) {
    html += heading("Drift from the start", "There are no copies on the way (folders checkpoint-N): train with --checkpoint-steps to see how rows and label "
                                            "words move.");
  }
  return html + "</body></html>\n";
}

}  // namespace preamble
