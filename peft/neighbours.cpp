#include "peft/neighbours.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/graph/graph.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"

namespace preamble {
namespace {

constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kRowsAtOnce = 64;
constexpr std::string_view kRows = "vocabulary";
constexpr std::string_view kCosines = "cosines";

double norm_of(std::span<const float> row) {
  double sum = 0;
  for (const float x : row) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

bool has_direction(double norm) { return norm > 0 && std::isfinite(norm); }

void require_matrix(const Tensor& matrix) {
  require<ShapeError>(matrix.defined() && matrix.dims().size() == 2 && is_floating(matrix.dtype()),
                      "neighbours: {} {} was given; wanted a floating matrix", name_of(matrix.dtype()), to_string(matrix.dims()));
}

/// Writes rows of length 1, or for dot products as they are, and says which have a direction; the others become 0.
void normalise(const Tensor& rows, Closeness closeness, std::span<float> target, std::span<char> directed) {
  const Tensor floats = rows.to(Dtype::f32);
  const auto source = floats.values<float>();
  const auto width = static_cast<std::size_t>(rows.dim(1));
  parallel_for(rows.dim(0), kRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      const auto row = source.subspan(r * width, width);
      const double norm = norm_of(row);
      directed[r] = has_direction(norm) ? 1 : 0;
      const double length = closeness == Closeness::dot ? 1 : norm;
      std::ranges::transform(row, target.subspan(r * width, width).begin(),
                             [&](float x) { return directed[r] != 0 ? static_cast<float>(static_cast<double>(x) / length) : 0.0F; });
    }
  });
}

/// The best so far of one row of the prompt, best first.
class Best {
 public:
  explicit Best(std::int64_t count) : count_(static_cast<std::size_t>(count)) {}

  /// Ids come in ascending order, so of equal cosines the first stays in front.
  void offer(std::int32_t id, float cosine) {
    if (found_.size() == count_ && cosine <= found_.back().cosine) return;
    const auto behind = std::ranges::find_if(found_, [&](const Neighbour& n) { return n.cosine < cosine; });
    found_.insert(behind, {id, cosine});
    if (found_.size() > count_) found_.pop_back();
  }
  [[nodiscard]] std::vector<Neighbour> take() { return std::move(found_); }

 private:
  std::size_t count_;
  std::vector<Neighbour> found_;
};

/// cosines [rows(vocabulary), P] = x Pᵀ for rows of length 1.
std::shared_ptr<const Program> cosine_program(Tensor directions, std::int64_t block) {
  Graph graph;
  const RowSpaceId rows = graph.rows(kRows, block, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {directions.dim(1)}});
  graph.output(kCosines, linear(x, graph.frozen("prompt", std::move(directions))));
  return compile(std::move(graph));
}

}  // namespace

std::vector<double> row_norms(const Tensor& matrix) {
  require_matrix(matrix);
  std::vector<double> norms(static_cast<std::size_t>(matrix.dim(0)));
  parallel_for(matrix.dim(0), kRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    const Tensor part = matrix.rows(begin, end - begin).to(Dtype::f32);
    const auto values = part.values<float>();
    const auto width = static_cast<std::size_t>(matrix.dim(1));
    for (std::int64_t r = begin; r < end; ++r) {
      norms[static_cast<std::size_t>(r)] = norm_of(values.subspan(static_cast<std::size_t>(r - begin) * width, width));
    }
  });
  return norms;
}

std::vector<std::vector<Neighbour>> nearest_tokens(const Tensor& prompt, const Tensor& embedding, std::int64_t count, Closeness closeness) {
  require_matrix(prompt);
  require_matrix(embedding);
  require<ShapeError>(prompt.dim(1) == embedding.dim(1) && prompt.count() > 0 && embedding.count() > 0,
                      "neighbours: a prompt {} and an embedding {} were given; wanted one width", to_string(prompt.dims()),
                      to_string(embedding.dims()));
  require<ConfigError>(count > 0, "neighbours: {} were asked for; wanted one at least", count);
  const std::int64_t vocabulary = embedding.dim(0);
  const std::int64_t tokens = prompt.dim(0);
  Tensor directions(Dtype::f32, prompt.dims());
  std::vector<char> prompt_directed(static_cast<std::size_t>(tokens));
  normalise(prompt, closeness, directions.values<float>(), prompt_directed);
  Session session(cosine_program(directions, std::min(kBlock, vocabulary)));

  std::vector<Best> best(static_cast<std::size_t>(tokens), Best(std::min(count, vocabulary)));
  std::vector<char> directed(static_cast<std::size_t>(kBlock));
  for (std::int64_t first = 0; first < vocabulary; first += kBlock) {
    const std::int64_t rows = std::min(kBlock, vocabulary - first);
    Segments segments;
    segments.append(static_cast<std::int32_t>(rows));
    session.rows(kRows, segments);
    normalise(embedding.rows(first, rows), closeness, session.input<float>("x"), directed);
    session.run();
    const auto cosines = session.result<float>(kCosines);
    parallel_for(tokens, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        if (prompt_directed[static_cast<std::size_t>(t)] == 0) continue;
        for (std::int64_t r = 0; r < rows; ++r) {
          if (directed[static_cast<std::size_t>(r)] == 0) continue;
          best[static_cast<std::size_t>(t)].offer(static_cast<std::int32_t>(first + r), cosines[static_cast<std::size_t>(r * tokens + t)]);
        }
      }
    });
  }
  std::vector<std::vector<Neighbour>> result;
  for (auto& one : best) result.push_back(one.take());
  return result;
}

}  // namespace preamble
