// Memory and time of prompt methods beside full fine-tuning of the same model with the same engine.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "bench/command_line.h"
#include "bench/memory_run.h"
#include "bench/process.h"
#include "engine/core/error.h"
#include "models/made_up_model.h"
#include "models/weight_type.h"

namespace preamble::bench {
namespace {

using nlohmann::json;

constexpr double kMiB = 1 << 20;

struct CommandLine {
  MemoryOptions run;
  std::string methods = "prompt,full";
  std::int64_t prompt = 100;
  std::int64_t prefix = 0;
  std::string task{name_of(HeadKind::sequence)};
  std::string weights = "f32";
  std::string compute = "f32";
  std::string budget = "none";
  std::string kept = "exact";
  std::string full_budget = "none";
  bool as_json = false;
  bool keep_blas_environment = false;
  std::string cleaned;  ///< variables that were taken out of the environment
};

/// The variables that fix OpenBLAS's kernels, as `NAME=VALUE`; they are gone afterwards.
std::string take_blas_environment() {
  std::string taken;
  for (const char* name : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    taken += fmt::format("{}{}={}", taken.empty() ? "" : " ", name, value);
    ::unsetenv(name);
  }
  return taken;
}

void add_options(CLI::App& app, CommandLine& given) {
  app.option_defaults()->always_capture_default();
  MemoryOptions& run = given.run;
  app.add_option("--model", run.model, fmt::format("published shape, with random weights: {}", fmt::join(published_shapes(), ", ")))
      ->check(CLI::IsMember(published_shapes()));
  app.add_option("--method", given.methods,
                 fmt::format("one of {}; or one of them and full, as in prefix,full: each in a fresh process, and their ratios",
                             fmt::join(MethodShape::methods(), ", ")));
  app.add_option("--batch", run.batch.sequences, "sequences")->check(CLI::Range(1, 1 << 16));
  app.add_option("--source", run.batch.source, "encoder-decoder: tokens of each source")->check(CLI::Range(1, 1 << 16));
  app.add_option("--target", run.batch.target, "encoder-decoder: tokens of each target")->check(CLI::Range(1, 1 << 16));
  app.add_option("--tokens", run.batch.tokens, "one stack: tokens of each sequence; 0: 128 of an encoder, 512 of a decoder")
      ->check(CLI::Range(0, 1 << 16));
  app.add_option("--task", given.task, "encoder with a new head: SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS, MASKED_LM");
  app.add_option("--prompt", given.prompt, "rows of a prompt")->check(CLI::Range(1, 1 << 16));
  app.add_option("--prefix", given.prefix, "rows of a prefix; 0: 16 with deep-prompt, else 10")->check(CLI::Range(0, 1 << 16));
  app.add_option("--lora-r", run.method.lora.r, "lora: rank of the additions")->check(CLI::Range(1, 1 << 16));
  app.add_option("--mlp", run.method.mlp, "hidden width of the network that computes the prefix; 0: none")->check(CLI::Range(0, 1 << 16));
  app.add_option("--prefix-sites", run.method.sites, "encoder_self, decoder_self, cross; not given: where PEFT's go")->delimiter(',');
  app.add_option("--weights", given.weights, "how frozen matrices are held")->check(CLI::IsMember(weight_type_names()));
  app.add_option("--memory-budget", given.budget, "auto, none, min, or bytes (512M, 2G)");
  app.add_option("--kept-values", given.kept, "exact, bf16 or int8: form in which activations may be kept for the backward pass")
      ->check(CLI::IsMember({"exact", "bf16", "int8"}));
  app.add_option("--full-memory-budget", given.full_budget, "that of full fine-tuning, where both are run");
  app.add_option("--compute", given.compute, "type of activations")->check(CLI::IsMember({"f32", "bf16"}));
  app.add_flag("--ragged", run.ragged, "also time batches whose sequences are half as long on average");
  app.add_option("--steps", run.steps, "timed steps, after one that is not")->check(CLI::Range(1, 1 << 16));
  app.add_option("--threads", run.threads, "0: one for each core")->check(CLI::Range(0, 1 << 10));
  app.add_flag("--json", given.as_json, "print one JSON object");
  app.add_flag("--keep-blas-environment", given.keep_blas_environment, "let OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE choose the kernels");
  app.add_option("--cleaned", given.cleaned)->group("");  // set by the benchmark itself when it starts again
  for (auto* option : app.get_options()) {
    if (option->get_expected_max() == 1) option->take_last();
  }
}

double beyond_weights(const json& result) {
  return result.at("planned_peak_bytes").get<double>() - result.at("weights_bytes").get<double>();
}

double measured_beyond_weights(const json& result) {
  return result.at("measured_peak_bytes").get<double>() - result.at("weights_bytes").get<double>();
}

double row_time(const json& result, const char* step) { return result.at(step).get<double>() / result.at("rows_per_step").get<double>(); }

double ratio(const json& full, const json& prompt, const char* key) { return full.at(key).get<double>() / prompt.at(key).get<double>(); }

json ratios(const json& prompt, const json& full) {
  return {{"planned_peak", ratio(full, prompt, "planned_peak_bytes")},
          {"measured_peak", ratio(full, prompt, "measured_peak_bytes")},
          {"planned_beyond_weights", beyond_weights(full) / beyond_weights(prompt)},
          {"measured_beyond_weights", measured_beyond_weights(full) / measured_beyond_weights(prompt)},
          {"time_per_row", row_time(prompt, "step_ms") / row_time(full, "step_ms")},
          {"cpu_time_per_row", row_time(prompt, "step_cpu_ms") / row_time(full, "step_cpu_ms")},
          {"step_time", 1 / ratio(full, prompt, "step_ms")}};
}

void print_header(const CommandLine& given, const json& result) {
  const MemoryOptions& run = given.run;
  fmt::print("{}, {}, {} virtual tokens, weights {}, memory budget {} (full: {}), {} thread(s), AdamW\n", run.model,
             result.at("batch").get<std::string>(), given.run.method.virtual_tokens, given.weights, given.budget, given.full_budget,
             result.at("threads").get<int>());
  fmt::print("BLAS: {}; kernels: {}\n", result.at("blas").get<std::string>(), result.at("instruction_set").get<std::string>());
  if (!given.cleaned.empty()) fmt::print("taken out of the environment, so that OpenBLAS chooses its kernels itself: {}\n", given.cleaned);
  fmt::print("\n");
}

struct Line {
  const char* label;
  const char* key;
  double unit;
  const char* format;
};

void print_table(const std::vector<json>& results) {
  static const std::vector<Line> kLines = {{"planned peak, MiB", "planned_peak_bytes", kMiB, "{:>12.1f}"},
                                           {"measured peak, MiB", "measured_peak_bytes", kMiB, "{:>12.1f}"},
                                           {"frozen weights, MiB", "frozen_bytes", kMiB, "{:>12.1f}"},
                                           {"trained tensors, MiB", "trained_bytes", kMiB, "{:>12.1f}"},
                                           {"optimizer state, MiB", "optimizer_bytes", kMiB, "{:>12.1f}"},
                                           {"arena, MiB", "arena_bytes", kMiB, "{:>12.1f}"},
                                           {"  gradients in it, MiB", "gradient_bytes", kMiB, "{:>12.1f}"},
                                           {"  lower bound, MiB", "lower_bound_bytes", kMiB, "{:>12.1f}"},
                                           {"  saved for backward, MiB", "saved_bytes", kMiB, "{:>12.1f}"},
                                           {"    d a row and layer", "saved_widths", 1, "{:>12.2f}"},
                                           {"step, fastest, ms", "step_ms", 1, "{:>12.1f}"},
                                           {"step, median, ms", "step_ms_median", 1, "{:>12.1f}"},
                                           {"processor time of a step, ms", "step_cpu_ms", 1, "{:>12.1f}"},
                                           {"computed rows a step", "rows_per_step", 1, "{:>12.0f}"},
                                           {"tokens/s, prompts excluded", "tokens_per_second", 1, "{:>12.1f}"},
                                           {"ragged batches, fastest step, ms", "ragged_ms", 1, "{:>12.1f}"},
                                           {"GFLOP a step", "step_gflop", 1, "{:>12.1f}"},
                                           {"GFLOP/s", "gflops", 1, "{:>12.1f}"},
                                           {"FMA peak of this run, GFLOP/s", "fma_peak_gflops", 1, "{:>12.1f}"},
                                           {"share of it, %", "fma_peak_share", 0.01, "{:>12.1f}"},
                                           {"share, by processor time, %", "fma_peak_share_of_cpu_time", 0.01, "{:>12.1f}"}};
  fmt::print("{:<32}", "");
  for (const auto& result : results) fmt::print("{:>12}", result.at("method").get<std::string>());
  fmt::print("\n");
  for (const auto& line : kLines) {
    fmt::print("{:<32}", line.label);
    for (const auto& result : results) fmt::print(fmt::runtime(line.format), result.at(line.key).get<double>() / line.unit);
    fmt::print("\n");
  }
}

void print_ratios(const json& r, const std::string& method) {
  fmt::print("\n{:<36} planned    measured\n", "full / " + method);
  fmt::print("{:<32}{:>12.2f}{:>12.2f}\n", "total peak", r.at("planned_peak").get<double>(), r.at("measured_peak").get<double>());
  fmt::print("{:<32}{:>12.2f}{:>12.2f}\n", "peak beyond the model's weights", r.at("planned_beyond_weights").get<double>(),
             r.at("measured_beyond_weights").get<double>());
  fmt::print("\n{} / full\n", method);
  fmt::print("{:<32}{:>24.2f}\n", "time per computed row", r.at("time_per_row").get<double>());
  fmt::print("{:<32}{:>24.2f}\n", "processor time per computed row", r.at("cpu_time_per_row").get<double>());
  fmt::print("{:<32}{:>24.2f}\n", "time of a step", r.at("step_time").get<double>());
}

/// True if the plan held and the backbone is what it was; complains otherwise.
bool accept(const MemoryResult& result) {
  if (!result.plan_holds()) {
    fmt::print(stderr, "bench/memory: {}: {:.1f} MiB were measured; {:.1f} MiB were planned, and they may differ by {:.1f} MiB\n",
               result.method, static_cast<double>(result.measured_peak) / kMiB, static_cast<double>(result.planned.total()) / kMiB,
               static_cast<double>(result.tolerance()) / kMiB);
  }
  if (!result.backbone_unchanged) fmt::print(stderr, "bench/memory: {}: the frozen weights have changed\n", result.method);
  return result.plan_holds() && result.backbone_unchanged;
}

int run_one(const CommandLine& given) {
  const MemoryResult result = run_memory(given.run);
  const json described = to_json(result);
  if (given.as_json) {
    fmt::print("{}\n", described.dump(2));
  } else {
    print_header(given, described);
    print_table({described});
  }
  return accept(result) ? 0 : 1;
}

int run_both(const CommandLine& given, std::vector<std::string> arguments) {
  const std::string& compared_method = given.run.method.method;
  int status = 0;
  std::vector<json> results;
  // the last option of a name counts
  arguments.insert(arguments.end(), {"--json", "--method", "", "--memory-budget", ""});
  for (const auto& [method, budget] : {std::pair{compared_method, given.budget}, {std::string("full"), given.full_budget}}) {
    arguments[arguments.size() - 3] = method;
    arguments.back() = budget;
    const ChildResult child = run_self(arguments);
    if (child.status != 0) status = 1;
    results.push_back(json::parse(child.output, nullptr, false));
    require<Error>(results.back().is_object(), "--method {}: exit status {} without a result", method, child.status);
  }
  const json compared = ratios(results[0], results[1]);
  if (given.as_json) {
    fmt::print("{}\n", json{{compared_method, results[0]}, {"full", results[1]}, {"ratios", compared}}.dump(2));
  } else {
    print_header(given, results[0]);
    print_table(results);
    print_ratios(compared, compared_method);
  }
  return status;
}

/// Takes `--method` apart; true if full fine-tuning stands beside the method.
bool choose_methods(CommandLine& given) {
  const auto methods = MethodShape::methods();
  constexpr std::string_view kBeside = ",full";
  std::string method = given.methods;
  const bool compares = method.ends_with(kBeside);
  if (compares) method.resize(method.size() - kBeside.size());
  require<ConfigError>(std::ranges::find(methods, method) != methods.end() && !(compares && method == "full"),
                       "--method: '{}' was given; wanted one of {}, or one of the others with ',full' behind it", given.methods,
                       fmt::join(methods, ", "));
  given.run.method.method = method;
  const std::int64_t prefix = given.prefix > 0 ? given.prefix : method == "deep-prompt" ? 16 : 10;
  given.run.method.virtual_tokens = method == "full" ? 0 : method == "prompt" ? given.prompt : prefix;
  return compares;
}

int run(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  CommandLine given;
  CLI::App app("Memory and time of a training step: a prompt method beside full fine-tuning of the same model.", "memory");
  add_options(app, given);
  return parsed(app, argc, argv, [&] {
    if (!given.keep_blas_environment) {
      // OpenBLAS has read its environment before main
      if (const std::string taken = take_blas_environment(); !taken.empty()) {
        arguments.insert(arguments.end(), {"--cleaned", taken});
        restart_self(arguments);
      }
    }
    given.run.memory = Budget::parse(given.budget, given.kept);
    given.run.compute = given.compute == "bf16" ? Dtype::bf16 : Dtype::f32;
    given.run.batch.head = head_kind_of(given.task);
    given.run.weights = weight_type_of(given.weights);
    const bool compares = choose_methods(given);
    return compares ? run_both(given, std::move(arguments)) : run_one(given);
  });
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) { return preamble::bench::run_main("memory", argc, argv, preamble::bench::run); }
