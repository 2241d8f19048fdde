#include "peft/prompt_similarity.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"

namespace preamble {
namespace {

/// The sum of the rows, and of the rows scaled to length 1.
struct Sums {
  std::vector<double> rows, directions;
};

Sums sums_of(const Tensor& prompt) {
  const auto width = static_cast<std::size_t>(prompt.dim(1));
  const Tensor floats = prompt.to(Dtype::f32);
  Sums sums{std::vector<double>(width), std::vector<double>(width)};
  for (std::int64_t r = 0; r < prompt.dim(0); ++r) {
    const auto row = floats.values<float>().subspan(static_cast<std::size_t>(r) * width, width);
    double squares = 0;
    for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
    const double length = squares > 0 ? std::sqrt(squares) : 1;
    for (std::size_t i = 0; i < width; ++i) {
      sums.rows[i] += static_cast<double>(row[i]);
      sums.directions[i] += static_cast<double>(row[i]) / length;
    }
  }
  return sums;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

PromptSimilarity similarity_of(const Tensor& one, const Tensor& other) {
  require<ShapeError>(one.dims().size() == 2 && other.dims().size() == 2 && one.dim(1) == other.dim(1),
                      "similarity: prompts {} and {} were given; wanted one width", to_string(one.dims()), to_string(other.dims()));
  const Sums a = sums_of(one), b = sums_of(other);
  const double lengths = std::sqrt(dot(a.rows, a.rows) * dot(b.rows, b.rows));
  // the sum over all pairs of cosines is the product of the sums of directions
  return {lengths > 0 ? dot(a.rows, b.rows) / lengths : 0, dot(a.directions, b.directions) / static_cast<double>(one.dim(0) * other.dim(0))};
}

Tensor prompt_rows(const std::filesystem::path& adapter) {
  if (NativePrompt::is_in(adapter)) {
    const PromptSlot slot = NativePrompt::read(adapter, std::nullopt, {}).slot;
    return slot.embeddings.rows(0, slot.tokens);
  }
  const bool native = NativePrefix::is_in(adapter);
  PeftConfig config;
  if (!native) config = PeftConfig::read(adapter);
  require<UnsupportedError>(!native && config.peft_type != PeftType::prefix_tuning, "{}: a prefix; wanted a prompt of embeddings", adapter.string());
  const PromptSlot slot = read_embeddings(adapter, config);
  return slot.embeddings.rows(0, slot.tokens);
}

SimilarityTable similarity_of(const std::vector<std::filesystem::path>& adapters) {
  require<ConfigError>(adapters.size() > 1, "similarity: {} prompts were given; wanted two at least", adapters.size());
  SimilarityTable table;
  std::vector<Tensor> prompts;
  std::map<std::string, int> seen;
  for (const auto& adapter : adapters) {
    prompts.push_back(prompt_rows(adapter));
    const std::string name = (adapter.has_filename() ? adapter : adapter.parent_path()).filename().string();
    const int number = ++seen[name];
    table.names.push_back(number == 1 ? name : fmt::format("{} ({})", name, number));
  }
  for (const auto& one : prompts) {
    for (const auto& other : prompts) {
      const PromptSimilarity similarity = similarity_of(one, other);
      table.average.push_back(similarity.average);
      table.per_token.push_back(similarity.per_token);
    }
  }
  return table;
}

}  // namespace preamble
