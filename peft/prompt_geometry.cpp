#include "peft/prompt_geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

using Row = std::span<const float>;

Row row_of(const Tensor& floats, std::int64_t row) {
  const auto width = static_cast<std::size_t>(floats.dim(1));
  return floats.values<float>().subspan(static_cast<std::size_t>(row) * width, width);
}

double dot_of(Row a, Row b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

double cosine_of(Row a, Row b) {
  const double lengths = std::sqrt(dot_of(a, a) * dot_of(b, b));
  return lengths > 0 && std::isfinite(lengths) ? dot_of(a, b) / lengths : 0;
}

}  // namespace

std::vector<double> cosine_matrix(const Tensor& rows) {
  const Tensor floats = rows.to(Dtype::f32);
  const std::int64_t count = floats.dim(0);
  std::vector<double> cosines(static_cast<std::size_t>(count * count));
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = 0; j < count; ++j) cosines[static_cast<std::size_t>(i * count + j)] = cosine_of(row_of(floats, i), row_of(floats, j));
    }
  });
  return cosines;
}

double mean_off_diagonal(std::span<const double> cosines, std::size_t rows) {
  if (rows < 2) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) sum += i == j ? 0 : cosines[i * rows + j];
  }
  return sum / static_cast<double>(rows * (rows - 1));
}

std::vector<std::vector<std::size_t>> clusters_of(std::span<const double> cosines, std::size_t rows, double threshold) {
  std::vector<std::vector<std::size_t>> groups(rows);
  for (std::size_t i = 0; i < rows; ++i) groups[i] = {i};
  // mean cosines of groups, updated as groups become one
  std::vector<double> means(cosines.begin(), cosines.end());
  for (;;) {
    double best = threshold;
    std::pair<std::size_t, std::size_t> pair{rows, rows};
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = i + 1; j < rows; ++j) {
        if (groups[i].empty() || groups[j].empty() || means[i * rows + j] < best || (pair.first < rows && means[i * rows + j] == best)) continue;
        best = means[i * rows + j];
        pair = {i, j};
      }
    }
    const auto [a, b] = pair;
    if (a == rows) break;
    const auto size_a = static_cast<double>(groups[a].size()), size_b = static_cast<double>(groups[b].size());
    for (std::size_t k = 0; k < rows; ++k) {
      const double mean = (size_a * means[a * rows + k] + size_b * means[b * rows + k]) / (size_a + size_b);
      means[a * rows + k] = means[k * rows + a] = mean;
    }
    groups[a].insert(groups[a].end(), groups[b].begin(), groups[b].end());
    groups[b].clear();
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  for (auto& group : groups) std::ranges::sort(group);
  std::ranges::stable_sort(groups, std::greater<>(), &std::vector<std::size_t>::size);
  return groups;
}

std::vector<double> tightness(const std::vector<std::vector<Neighbour>>& neighbours, const Tensor& embedding) {
  std::vector<double> result;
  for (const auto& list : neighbours) {
    if (list.size() < 2) {
      result.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    Tensor words(Dtype::f32, {std::ssize(list), embedding.dim(1)});
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Tensor word = embedding.rows(list[i].id, 1).to(Dtype::f32);
      std::ranges::copy(std::as_const(word).values<float>(), words.values<float>().begin() + static_cast<std::ptrdiff_t>(i) * embedding.dim(1));
    }
    result.push_back(mean_off_diagonal(cosine_matrix(words), list.size()));
  }
  return result;
}

Drift drift_of(const Tensor& start, const Tensor& now) {
  require<ShapeError>(start.dims() == now.dims() && start.dims().size() == 2, "drift: rows {} and {} were given; wanted equal dimensions",
                      to_string(start.dims()), to_string(now.dims()));
  const Tensor from = start.to(Dtype::f32), to = now.to(Dtype::f32);
  Drift drift;
  for (std::int64_t r = 0; r < from.dim(0); ++r) {
    const Row a = row_of(from, r), b = row_of(to, r);
    double squares = 0;
    for (std::size_t i = 0; i < a.size(); ++i) squares += std::pow(static_cast<double>(b[i]) - static_cast<double>(a[i]), 2);
    drift.distances.push_back(std::sqrt(squares / std::max(std::numeric_limits<double>::min(), dot_of(a, a))));
    drift.cosine += cosine_of(a, b) / static_cast<double>(from.dim(0));
    drift.distance += drift.distances.back() / static_cast<double>(from.dim(0));
  }
  return drift;
}

ClosestRow closest_row(std::span<const float> vector, const Tensor& prompt, const Tensor& embedding) {
  const Tensor rows = prompt.to(Dtype::f32);
  ClosestRow closest{0, -2, 1};
  for (std::int64_t r = 0; r < rows.dim(0); ++r) {
    const double cosine = cosine_of(vector, row_of(rows, r));
    if (cosine > closest.cosine) closest = {r, cosine, 1};
  }
  const Row row = row_of(rows, closest.row);
  constexpr std::int64_t kBlock = 1024;
  std::vector<std::int64_t> closer(static_cast<std::size_t>((embedding.dim(0) + kBlock - 1) / kBlock));
  parallel_for(embedding.dim(0), kBlock, [&](std::int64_t begin, std::int64_t end) {
    const Tensor words = embedding.rows(begin, end - begin).to(Dtype::f32);
    for (std::int64_t w = 0; w < end - begin; ++w) {
      // the word itself, computed in another order, is not closer than it is
      closer[static_cast<std::size_t>(begin / kBlock)] += cosine_of(row_of(words, w), row) > closest.cosine + 1e-9 ? 1 : 0;
    }
  });
  closest.rank += std::accumulate(closer.begin(), closer.end(), std::int64_t{0});
  return closest;
}

Tensor random_like(const Tensor& like, std::uint64_t seed) {
  constexpr std::uint64_t kStream = 0x72616E64;
  const auto norms = row_norms(like);
  const double mean = std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size());
  Tensor random_rows(Dtype::f32, like.dims());
  Random random(seed, kStream);
  const auto width = static_cast<double>(like.dim(1));
  for (auto& x : random_rows.values<float>()) x = static_cast<float>(mean / std::sqrt(width)) * random.normal();
  return random_rows;
}

}  // namespace preamble
