// Decoding of one sequence by a whole model; or products of the layers of a decoder, of a few rows as decoding has them, or of many:
// results first, then the rate at which their weights are read, beside that of a copy, and operations per second.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/bf16_engine.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/core/random.h"
#include "engine/core/stop_watch.h"
#include "engine/ops/cast.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "models/causal_decoder.h"
#include "models/generate/generate.h"
#include "models/made_up_model.h"
#include "models/parameters.h"
#include "models/weight_type.h"
#include "peft/method.h"

namespace preamble::bench {
namespace {

struct Options {
  std::int64_t width = 1024;
  std::int64_t layers = 24;
  std::int64_t rows = 1;
  int rounds = 7;
  int threads = 0;
  std::string compute = "f32";
  std::string model;  ///< decodes with it instead of multiplying alone
  std::int64_t prompt = 16;
  std::int64_t new_tokens = 48;
  std::vector<std::string> types = {"f32", "bf16", "int8", "int4", "nf4"};
};

constexpr std::size_t kCopied = 1U << 29U;

/// Bytes read and written in a second by a copy of that many bytes; the best of some rounds.
double copy_rate(std::size_t bytes, int rounds) {
  const Tensor from(Dtype::u8, {static_cast<std::int64_t>(bytes)});
  Tensor to(Dtype::u8, {static_cast<std::int64_t>(bytes)});
  std::memset(const_cast<void*>(from.data()), 1, bytes);
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const StopWatch watch;
    parallel_for(static_cast<std::int64_t>(bytes), 1 << 20, [&](std::int64_t first, std::int64_t last) {
      std::memcpy(static_cast<std::byte*>(to.data()) + first, static_cast<const std::byte*>(from.data()) + first,
                  static_cast<std::size_t>(last - first));
    });
    best = std::max(best, 2 * static_cast<double>(bytes) / watch.seconds());
  }
  return best;
}

/// Something that reads weights, and copies right before and after it.
struct Reading {
  double seconds = 0, rate = 0;  ///< bytes of weights in a second
  double copy = 0;               ///< `copy_rate`
};

/// `measure` returns the seconds in which so many bytes are read.
template <class Measure>
Reading beside_copies(double bytes, const Measure& measure) {
  constexpr int kRounds = 3;
  const double before = copy_rate(kCopied, kRounds);
  const double seconds = measure();
  return {seconds, bytes / seconds, std::max(before, copy_rate(kCopied, kRounds))};
}

/// All products of the layers of a decoder: queries, keys and values together, the output, and a feed-forward part four times as wide.
class Products {
 public:
  Products(const Options& options, const std::string& type) : o_(options) {
    Parameters parameters(random_source(1), {.weights = weight_type_of(type)});
    const Dtype real = o_.compute == "bf16" ? Dtype::bf16 : Dtype::f32;
    Graph graph(real);
    const RowSpaceId space = graph.rows("rows", o_.rows, 1);
    for (const std::int64_t width : {o_.width, 4 * o_.width}) {
      rounded_[width] = cast(graph.input(fmt::format("x{}", width), {Dtype::f32, space, {width}}), real);
    }
    for (std::int64_t layer = 0; layer < o_.layers; ++layer) {
      add(graph, parameters, layer, "qkv", 3 * o_.width, o_.width);
      add(graph, parameters, layer, "out", o_.width, o_.width);
      add(graph, parameters, layer, "up", 4 * o_.width, o_.width);
      add(graph, parameters, layer, "down", o_.width, 4 * o_.width);
    }
    for (const auto& [name, tensor] : parameters.loaded()) bytes_ += tensor.bytes();
    first_ = parameters.loaded().at("0.qkv");
    session_ = std::make_unique<Session>(compile(std::move(graph)));
    const std::array lengths = {static_cast<std::int32_t>(o_.rows)};
    session_->rows("rows", Segments(lengths));
    Random random(2);
    for (const std::int64_t width : {o_.width, 4 * o_.width}) {
      for (float& x : session_->input<float>(fmt::format("x{}", width))) x = random.normal();
    }
  }

  /// The first product against sums in double.
  void check() {
    // a run may put its results where its inputs were
    const auto input = session_->input<float>(fmt::format("x{}", o_.width));
    const std::vector<float> x(input.begin(), input.end());
    session_->run();
    const auto y = session_->result<float>("0.qkv");
    const Tensor w = first_.to(Dtype::f32);
    for (std::int64_t n = 0; n < 3 * o_.width; n += 97) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < o_.width; ++k) {
        const double term =
            static_cast<double>(x[static_cast<std::size_t>(k)]) * w.values<float>()[static_cast<std::size_t>(n * o_.width + k)];
        sum += term;
        magnitude += std::abs(term);
      }
      const double tolerance = o_.compute == "bf16" ? 0.01 : 1e-5;
      require<Error>(std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(n)])) <= tolerance * magnitude,
                     "decoding: column {} is {}; wanted {}", n, y[static_cast<std::size_t>(n)], sum);
    }
  }

  [[nodiscard]] double seconds() {
    double best = 1e9;
    for (int i = 0; i < o_.rounds; ++i) {
      const StopWatch watch;
      session_->run();
      best = std::min(best, watch.seconds());
    }
    return best;
  }

  [[nodiscard]] double bytes() const noexcept { return static_cast<double>(bytes_); }

 private:
  void add(Graph& graph, Parameters& parameters, std::int64_t layer, const char* part, std::int64_t out, std::int64_t in) {
    const std::string name = fmt::format("{}.{}", layer, part);
    const Value w = parameters(graph, name, {out, in}, ParameterKind::matrix);
    graph.output(name, cast(linear(rounded_.at(in), w), Dtype::f32));
  }

  Options o_;
  std::size_t bytes_ = 0;
  Tensor first_;
  std::map<std::int64_t, Value> rounded_;  ///< inputs by width, in the type of activations
  std::unique_ptr<Session> session_;
};

/// Greedy decoding of one sequence by a whole model.
class Decoding {
 public:
  Decoding(const Options& options, const std::string& type) : o_(options) {
    Parameters::Options parameters;
    parameters.weights = weight_type_of(type);
    if (o_.compute == "bf16") parameters.activations = Dtype::bf16;
    model_ = made_up_model(o_.model, random_source(1), parameters);
    auto* causal = dynamic_cast<CausalLm*>(model_.get());
    require<ConfigError>(causal != nullptr, "--model: {} was given; wanted a decoder-only model", o_.model);
    Random random(3);
    for (std::int64_t i = 0; i < o_.prompt; ++i) prompt_.push_back(static_cast<std::int32_t>(random.below(1000)));
    CausalDecoderCapacity capacity{.prompt_tokens = o_.prompt, .longest = o_.prompt + o_.new_tokens, .new_tokens = o_.new_tokens};
    decoder_ = std::make_unique<CausalDecoder>(
        *causal, [](Graph& graph) { return NoMethod().condition(graph); }, capacity);
    (void)seconds(1);  // compiles
  }

  /// Of a text of so many new tokens.
  [[nodiscard]] double seconds(std::int64_t tokens) {
    GenerationConfig config;
    config.max_new_tokens = static_cast<int>(tokens);
    const StopWatch watch;
    last_ = generate(*decoder_, config, std::span(&prompt_, 1));
    return watch.seconds();
  }

  /// Fastest of some rounds, without what reads the prompt and makes the first token.
  [[nodiscard]] double seconds_a_token() {
    double best = 1e9;
    for (int i = 0; i < o_.rounds; ++i) {
      const double first = seconds(1);
      best = std::min(best, (seconds(o_.new_tokens) - first) / static_cast<double>(o_.new_tokens - 1));
    }
    return best;
  }

  /// A text has the tokens that were asked for, the same ones in each run.
  void check() {
    (void)seconds(o_.new_tokens);
    const auto first = last_;
    (void)seconds(o_.new_tokens);
    require<Error>(first == last_ && static_cast<std::int64_t>(last_.at(0).size()) == o_.prompt + o_.new_tokens,
                   "decoding: two runs gave different texts, or {} tokens; wanted {} equal ones", last_.at(0).size(),
                   o_.prompt + o_.new_tokens);
  }

  /// Bytes of the weights that a token reads: all but positions, of which it reads a row.
  [[nodiscard]] double bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : model_->parameters().loaded()) {
      if (name.find("wpe") == name.npos) bytes += tensor.bytes();
    }
    return static_cast<double>(bytes);
  }

 private:
  Options o_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<CausalDecoder> decoder_;
  Ids prompt_;
  std::vector<Ids> last_;
};

void decode(const Options& options) {
  fmt::print("{} threads, kernels {}; {}, one sequence, {} tokens behind {}, activations {}\n", threads(), cpu_backend().instruction_set(),
             options.model, options.new_tokens, options.prompt, options.compute);
  fmt::print("{:<6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8}\n", "type", "MiB", "ms", "tokens/s", "GB/s", "copy GB/s", "share");
  for (const auto& type : options.types) {
    Decoding decoding(options, type);
    decoding.check();
    const auto [seconds, rate, copy] = beside_copies(decoding.bytes(), [&] { return decoding.seconds_a_token(); });
    fmt::print("{:<6} {:>10.1f} {:>10.2f} {:>10.1f} {:>10.1f} {:>10.1f} {:>7.0f}%\n", type, decoding.bytes() / (1 << 20), seconds * 1e3,
               1 / seconds, rate * 1e-9, copy * 1e-9, 100 * rate / copy);
    std::fflush(stdout);
  }
}

void run(const Options& options) {
  set_threads(options.threads);
  if (!options.model.empty()) {
    decode(options);
    return;
  }
  fmt::print("{} threads, kernels {}; {} layers of width {}, {} rows, activations {}, products of bf16: {}\n", threads(),
             cpu_backend().instruction_set(), options.layers, options.width, options.rows, options.compute, cpu::best_bf16_engine().name);
  fmt::print("{:<6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "type", "MiB", "ms", "GB/s", "copy GB/s", "share", "GFLOP/s");
  for (const auto& type : options.types) {
    Products products(options, type);
    products.check();
    const auto [seconds, rate, copy] = beside_copies(products.bytes(), [&] { return products.seconds(); });
    const double operations = 2.0 * static_cast<double>(options.rows * options.layers * 12 * options.width * options.width);
    fmt::print("{:<6} {:>10.1f} {:>10.2f} {:>10.1f} {:>10.1f} {:>9.0f}% {:>10.0f}\n", type, products.bytes() / (1 << 20), seconds * 1e3,
               rate * 1e-9, copy * 1e-9, 100 * rate / copy, operations / seconds * 1e-9);
  }
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) {
  using namespace preamble::bench;
  Options options;
  CLI::App app("products of a few rows: at what rate their weights are read, beside bytes read and written by a copy");
  app.add_option("--width", options.width, "width of the model")->check(CLI::Range(64, 1 << 14))->capture_default_str();
  app.add_option("--layers", options.layers, "number of layers")->check(CLI::Range(1, 1 << 10))->capture_default_str();
  app.add_option("--rows", options.rows, "rows of each product")->check(CLI::Range(1, 1 << 10))->capture_default_str();
  app.add_option("--compute", options.compute, "type of activations")->check(CLI::IsMember({"f32", "bf16"}))->capture_default_str();
  app.add_option("--model", options.model, "published shape of a decoder-only model, such as gpt2-medium: decodes one sequence with it");
  app.add_option("--prompt", options.prompt, "with --model: tokens in front")->check(CLI::Range(1, 1 << 12))->capture_default_str();
  app.add_option("--new-tokens", options.new_tokens, "with --model: tokens of the text")
      ->check(CLI::Range(2, 1 << 12))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "runs of which the fastest counts")->check(CLI::Range(1, 1 << 10))->capture_default_str();
  app.add_option("--threads", options.threads, "number of worker threads; 0: one per core")->capture_default_str();
  app.add_option("--weights", options.types, "types of the weights, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(preamble::weight_type_names()));
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "decoding: {}\n", error.what());
    return 1;
  }
  return 0;
}
