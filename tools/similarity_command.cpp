#include "tools/similarity_command.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/delimited.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/file.h"
#include "peft/prompt_similarity.h"
#include "tools/svg_chart.h"

namespace preamble {
namespace {

void print_matrix(const SimilarityTable& table, const std::vector<double>& matrix, std::string_view title) {
  std::size_t widest = 8;
  for (const auto& name : table.names) widest = std::max(widest, count_chars(name));
  fmt::print("{}\n{:{}}", title, "", widest);
  for (const auto& name : table.names) fmt::print("  {:>{}}", name, widest);
  fmt::print("\n");
  for (std::size_t i = 0; i < table.names.size(); ++i) {
    fmt::print("{:{}}", table.names[i], widest);
    for (std::size_t j = 0; j < table.names.size(); ++j) fmt::print("  {:>{}.4f}", matrix[i * table.names.size() + j], widest);
    fmt::print("\n");
  }
}

std::string csv_of(const SimilarityTable& table) {
  std::string csv = "one,other,average,per_token\n";
  const std::size_t count = table.names.size();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j)
      csv += fmt::format("{},{},{},{}\n", csv_field(table.names[i]), csv_field(table.names[j]), table.average[i * count + j], table.per_token[i * count + j]);
  }
  return csv;
}

}  // namespace

int similarity_command(const SimilarityArguments& args) {
  const SimilarityTable table = similarity_of(args.adapters);
  if (args.csv) write_atomically(*args.csv, csv_of(table));
  if (args.svg) {
    write_atomically(*args.svg, svg_file(heat_map({.title = "Similarity of tasks: cosine of the prompts' average rows", .x = "", .y = ""}, table.names,
                                                  table.average, -1, 1, true)));
  }
  if (args.json) {
    const nlohmann::ordered_json json = {{"names", table.names}, {"average", table.average}, {"per_token", table.per_token}};
    fmt::print("{}\n", json.dump());
    return 0;
  }
  print_matrix(table, table.average, "cosine of average rows");
  print_matrix(table, table.per_token, "mean cosine of all pairs of rows");
  return 0;
}

}  // namespace preamble
