// Products of bf16 matrices, of the shapes of training steps: sums first, then rates beside the peak of the same run, and oneDNN's.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bf16_peak.h"
#include "bench/fma_peak.h"
#include "bench/onednn_product.h"
#include "engine/backend/cpu/bf16_engine.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/core/random.h"
#include "engine/core/tensor.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"

namespace preamble::bench {
namespace {

struct Shape {
  const char* model;
  const char* where;
  std::int64_t rows, k, n;
  WeightLayout layout;
};

/// Steps of 8 sequences: T5 v1.1 base with a prompt of 100, source 256 and target 16; GPT-2 with 256 tokens; BERT-base with 128. The gradient of a
/// product's input reads the weight in the other layout.
constexpr auto kOut = WeightLayout::out_in, kIn = WeightLayout::in_out;
constexpr Shape kShapes[] = {
    {"t5-base", "encoder q, k, v, o", 2848, 768, 768, kOut},
    {"t5-base", "the same, gradient", 2848, 768, 768, kIn},
    {"t5-base", "encoder wi", 2848, 768, 2048, kOut},
    {"t5-base", "encoder wo", 2848, 2048, 768, kOut},
    {"t5-base", "encoder wi, gradient", 2848, 2048, 768, kIn},
    {"t5-base", "decoder q, k, v, o", 128, 768, 768, kOut},
    {"t5-base", "decoder wi", 128, 768, 2048, kOut},
    {"gpt2", "c_attn", 2048, 768, 2304, kIn},
    {"gpt2", "c_attn, gradient", 2048, 2304, 768, kOut},
    {"gpt2", "c_proj", 2048, 768, 768, kIn},
    {"gpt2", "c_fc", 2048, 768, 3072, kIn},
    {"gpt2", "c_fc, gradient", 2048, 3072, 768, kOut},
    {"gpt2", "logits, a chunk", 340, 768, 50257, kOut},
    {"bert-base", "query, key, value, output", 1024, 768, 768, kOut},
    {"bert-base", "intermediate", 1024, 768, 3072, kOut},
    {"bert-base", "output of the layer", 1024, 3072, 768, kOut},
};

Tensor random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Tensor x(Dtype::f32, {rows, columns});
  Random random(seed);
  for (auto& value : x.values<float>()) value = random.normal();
  return x.to(Dtype::bf16);
}

/// y = x W or x Wᵀ, by this engine's op or by oneDNN.
class Product {
 public:
  explicit Product(const Shape& shape)
      : s_(shape),
        x_(random_matrix(s_.rows, s_.k, 1)),
        w_(s_.layout == kOut ? random_matrix(s_.n, s_.k, 2) : random_matrix(s_.k, s_.n, 2)),
        y_(Dtype::bf16, {s_.rows, s_.n}) {
    Graph graph(Dtype::bf16);
    const RowSpaceId rows = graph.rows("rows", s_.rows, 1);
    graph.output("y", linear(graph.frozen("x", x_, rows), graph.frozen("w", w_), {}, s_.layout));
    session_ = std::make_unique<Session>(compile(std::move(graph), {}));
    session_->rows("rows", Segments(std::vector<std::int32_t>{static_cast<std::int32_t>(s_.rows)}));
  }

  void run() { session_->run(); }
  [[nodiscard]] OneDnnProduct by_onednn(bool packed) {
    return {s_.rows, s_.k, s_.n, s_.layout == kOut, x_.values<BFloat16>().data(), w_.values<BFloat16>().data(), y_.values<BFloat16>().data(), packed};
  }

  /// Some sums of the last run, of numbers that are k products of normal numbers: off by the rounding of the result and of k sums at most.
  void check(bool onednn) const {
    const auto found = onednn ? std::span<const BFloat16>(y_.values<BFloat16>()) : session_->result<BFloat16>("y");
    const auto x = x_.values<BFloat16>(), w = w_.values<BFloat16>();
    for (std::int64_t i = 0; i < kChecked; ++i) {
      const std::int64_t row = i * 7919 % s_.rows, column = (s_.n - 1) - i * 104729 % s_.n;
      double sum = 0, size = 0;
      for (std::int64_t j = 0; j < s_.k; ++j) {
        const auto at = static_cast<std::size_t>(s_.layout == kOut ? column * s_.k + j : j * s_.n + column);
        const double term = static_cast<double>(to_float(x[static_cast<std::size_t>(row * s_.k + j)])) * static_cast<double>(to_float(w[at]));
        sum += term, size += std::abs(term);
      }
      const double y = static_cast<double>(to_float(found[static_cast<std::size_t>(row * s_.n + column)]));
      const double bound = std::abs(sum) / 256 + size * static_cast<double>(s_.k) * std::numeric_limits<float>::epsilon();
      require<Error>(std::abs(y - sum) <= bound, "{}, {}: y[{}, {}] is {}; wanted {}", s_.model, s_.where, row, column, y, sum);
    }
  }

 private:
  static constexpr std::int64_t kChecked = 500;

  Shape s_;
  Tensor x_, w_, y_;
  std::unique_ptr<Session> session_;
};

/// Operations per second of the fastest of some runs.
template <class Run>
double rate_of(const Shape& s, int rounds, const Run& run) {
  using Clock = std::chrono::steady_clock;
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) {
    const auto begin = Clock::now();
    run();
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return 2.0 * static_cast<double>(s.rows) * static_cast<double>(s.k) * static_cast<double>(s.n) / fastest;
}

struct Options {
  int threads = 2;
  int rounds = 20;
  bool json = false;
};

void run(const Options& o) {
  set_threads(o.threads);
  constexpr double kSeconds = 0.5;
  const std::string engine(cpu::best_bf16_engine().name);
  const auto peak_now = [&] { return engine == "widening" ? fma_peak(o.threads, kSeconds) : bf16_peak(engine, o.threads, kSeconds); };
  double peak = peak_now();
  const bool onednn = OneDnnProduct::available();
  struct Row {
    Shape shape;
    double ours, lying, packed;
  };
  std::vector<Row> rows;
  for (const auto& shape : kShapes) {
    Product product(shape);
    Row& row = rows.emplace_back(Row{shape, 0, 0, 0});
    product.run();
    product.check(false);
    // in turn, so that neighbours on the machine disturb all alike
    for (int turn = 0; turn < 3; ++turn) {
      row.ours = std::max(row.ours, rate_of(shape, o.rounds, [&] { product.run(); }));
      if (!onednn) continue;
      for (const bool packed : {false, true}) {
        OneDnnProduct other = product.by_onednn(packed);
        other.run();
        product.check(true);
        double& best = packed ? row.packed : row.lying;
        best = std::max(best, rate_of(shape, o.rounds, [&] { other.run(); }));
      }
    }
  }
  peak = std::max(peak, peak_now());
  constexpr double kGiga = 1e9;
  if (o.json) {
    nlohmann::json all = {{"engine", engine}, {"threads", o.threads}, {"peak_gflops", peak / kGiga}};
    for (const auto& [s, ours, lying, packed] : rows) {
      nlohmann::json& row = all["products"].emplace_back(
          nlohmann::json{{"model", s.model}, {"where", s.where}, {"rows", s.rows}, {"k", s.k}, {"n", s.n}, {"gflops", ours / kGiga}, {"share", ours / peak}});
      if (onednn) row["onednn_gflops"] = lying / kGiga, row["onednn_packed_gflops"] = packed / kGiga;
    }
    fmt::print("{}\n", all.dump());
    return;
  }
  fmt::print("{} on {} threads; from registers {:.0f} GFLOP/s; each product: the fastest of {} runs\n", engine, o.threads, peak / kGiga, 3 * o.rounds);
  fmt::print("{:10} {:26} {:>5} {:>5} {:>6} {:>9} {:>6} {:>8} {:>15}\n", "model", "product", "rows", "k", "n", "GFLOP/s", "share", "oneDNN", "weights packed");
  for (const auto& [s, ours, lying, packed] : rows) {
    fmt::print("{:10} {:26} {:5} {:5} {:6} {:9.0f} {:5.0f}%", s.model, s.where, s.rows, s.k, s.n, ours / kGiga, 100 * ours / peak);
    if (onednn) fmt::print(" {:8.0f} {:15.0f}", lying / kGiga, packed / kGiga);
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) {
  try {
    CLI::App app("times products of bf16 matrices of the shapes of T5-base, GPT-2 and BERT-base, beside the peak of the processor and oneDNN");
    preamble::bench::Options options;
    app.add_option("--threads", options.threads, "oneDNN takes OMP_NUM_THREADS")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--rounds", options.rounds, "of each product, three times; the fastest counts")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_flag("--json", options.json, "one line for machines");
    CLI11_PARSE(app, argc, argv);
    preamble::bench::run(options);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "products: {}\n", error.what());
    return 1;
  }
}
