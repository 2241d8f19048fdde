// Attention forward and backward with and without dropout of its probabilities: results first, then times.
#include "engine/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "engine/core/parallel.h"
#include "engine/core/random.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"

namespace preamble::bench {
namespace {

struct Options {
  std::int32_t sequences = 8;
  std::int32_t tokens = 128;
  std::int32_t prefix = 16;
  std::int64_t heads = 12;
  std::int64_t dim = 64;
  double rate = 0.1;
  int rounds = 20;
};

Tensor random_rows(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  Tensor x(Dtype::f32, {rows, width});
  Random random(seed);
  for (auto& value : x.values<float>()) value = random.normal();
  return x;
}

Tensor ones(std::int64_t rows, std::int64_t width) {
  Tensor x(Dtype::f32, {rows, width});
  std::ranges::fill(x.values<float>(), 1.0F);
  return x;
}

/// One attention with a prefix for all sequences.
class Bench {
 public:
  explicit Bench(const Options& options) : o_(options), rows_(o_.sequences * o_.tokens), width_(o_.heads * o_.dim) {}

  /// With values of one, each output is the sum of its row's factors over all keys: 1 in the mean.
  [[nodiscard]] bool check() const {
    const auto session = make(o_.rate, false, true);
    session->run();
    double sum = 0;
    const auto found = session->result<float>("o");
    for (const float x : found) sum += static_cast<double>(x);
    const double mean = sum / static_cast<double>(found.size());
    // a head's columns are equal; softmax of random scores has no fewer than a tenth of the keys that count
    const auto draws = static_cast<double>(rows_ * o_.heads) * (o_.tokens + o_.prefix) / 10;
    const bool good = std::abs(mean - 1) < 6 * std::sqrt(o_.rate / (1 - o_.rate) / draws);
    fmt::print("mean of outputs of ones: {:.5f}: {}\n", mean, good ? "as it should be" : "WRONG");
    return good;
  }

  void time() const {
    const double forward = best(0, false);
    const double backward = best(0, true) - forward;
    const double forward_dropped = best(o_.rate, false);
    const double backward_dropped = best(o_.rate, true) - forward_dropped;
    fmt::print("forward  {:.2f} ms, with dropout {:.2f} ms ({:.2f})\nbackward {:.2f} ms, with dropout {:.2f} ms ({:.2f})\n", forward,
               forward_dropped, forward_dropped / forward, backward, backward_dropped, backward_dropped / backward);
  }

 private:
  [[nodiscard]] std::unique_ptr<Session> make(double rate, bool gradients, bool values_of_one) const {
    Graph graph;
    const RowSpaceId rows = graph.rows("rows", rows_, o_.sequences);
    const RowSpaceId prefix = graph.rows("prefix", o_.prefix, 1);
    const auto leaf = [&](const char* name, RowSpaceId space, const Tensor& value) {
      return gradients ? graph.trainable(name, value, space) : graph.frozen(name, value, space);
    };
    const auto values = [&](std::int64_t count, std::uint64_t seed) {
      return values_of_one ? ones(count, width_) : random_rows(count, width_, seed);
    };
    AttentionOperands operands;
    operands.q = leaf("q", rows, random_rows(rows_, width_, 1));
    operands.k = leaf("k", rows, random_rows(rows_, width_, 2));
    operands.v = leaf("v", rows, values(rows_, 3));
    operands.prefix_k = leaf("prefix_k", prefix, random_rows(o_.prefix, width_, 4));
    operands.prefix_v = leaf("prefix_v", prefix, values(o_.prefix, 5));
    operands.dropout_key = graph.input("key", {Dtype::i32, kNoRows, {2}});
    AttentionOptions options;
    options.heads = options.kv_heads = static_cast<int>(o_.heads);
    options.scale = 1 / std::sqrt(static_cast<double>(o_.dim));
    options.dropout.rate = rate;
    const Value o = attention(operands, options);
    graph.output("o", o);
    CompileOptions compile_options;
    if (gradients) {
      graph.output("loss", dot(o, graph.frozen("direction", random_rows(rows_, width_, 6), rows)));
      compile_options.loss = "loss";
    }
    auto session = std::make_unique<Session>(compile(std::move(graph), compile_options));
    session->rows("rows", Segments(std::vector<std::int32_t>(static_cast<std::size_t>(o_.sequences), o_.tokens)));
    if (rate > 0) session->set<std::int32_t>("key", std::vector<std::int32_t>{11, -5});
    return session;
  }

  /// Milliseconds of processor time of the fastest round, on one thread: other work on the machine disturbs it less than wall time.
  [[nodiscard]] double best(double rate, bool gradients) const {
    const auto session = make(rate, gradients, false);
    double fastest = std::numeric_limits<double>::infinity();
    for (int round = 0; round < o_.rounds; ++round) {
      const std::clock_t begin = std::clock();
      session->run();
      fastest = std::min(fastest, 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return fastest;
  }

  Options o_;
  std::int64_t rows_, width_;
};

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) {
  try {
    CLI::App app("times attention with and without dropout of its probabilities");
    preamble::bench::Options options;
    app.add_option("--batch", options.sequences, "sequences")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--tokens", options.tokens, "of a sequence")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--prefix", options.prefix, "keys in front")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--heads", options.heads)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--dim", options.dim, "of a head")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--rate", options.rate)->check(CLI::Range(0.01, 0.99))->capture_default_str();
    app.add_option("--rounds", options.rounds, "the fastest counts")->check(CLI::PositiveNumber)->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    preamble::set_threads(1);
    const preamble::bench::Bench bench(options);
    if (!bench.check()) return 1;
    bench.time();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "attention: {}\n", error.what());
    return 1;
  }
}
