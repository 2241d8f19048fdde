// What a sweep runs: a grid over options of `preamble train`, out of a TOML file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace preamble {

/// Options by their long names without dashes, in the order of the file. A flag has the value `true`.
using SweepOptions = std::vector<std::pair<std::string, std::string>>;

/// One training run.
struct SweepRun {
  /// The option that says how many updates the model has been adapted before: no option of `preamble train`, but part of a run's name.
  static constexpr const char* kAdaptation = "adaptation-steps";

  std::map<std::string, std::string> axes;  ///< its place in the grid: value by name; `variant` is one of the names
  SweepOptions options;                     ///< of `preamble train`, but for where its output goes

  /// As the command line has them.
  [[nodiscard]] std::vector<std::string> arguments() const;
  /// A name that changes with any option.
  [[nodiscard]] std::string key() const;
  [[nodiscard]] const std::string* find(const std::string& option) const;
};

/// How results are drawn: means over the runs that differ in no other axis than `seed`, with their standard deviation.
struct SweepPlot {
  std::string x;       ///< axis along the picture
  std::string series;  ///< axis whose values are lines; empty: one line
  std::string score;   ///< empty: the run's chosen metric
  std::string title;
};

struct SweepPlan {
  std::string name;                  ///< of the result files
  std::vector<std::string> axes;     ///< names, in order: `variant` first, `seed` last
  std::vector<SweepRun> runs;
  SweepOptions evaluate;             ///< options of `preamble eval` on each result; empty: not evaluated
  std::int64_t slots = 1;            ///< most runs that one program trains
  std::vector<SweepPlot> plots;
  SweepOptions adapt;                ///< options of `preamble adapt`; empty: models are taken as they are
  std::vector<std::int64_t> adaptation_steps;  ///< that runs ask for, sorted, each once
};

/// Reads a plan.
///
///   name = "length"                  # of the result files
///   slots = 16                       # prompts that one program may train (default 1)
///   [train]                          # options of `preamble train`
///   model = "$models/t5-lm"          # $NAME: see `values`
///   labels = ["noun", "verb"]        # a list is joined by commas
///   [sweep]                          # axes: every combination is a run
///   num-virtual-tokens = [1, 5, 20]
///   seed = [1, 2, 3]
///   [[variant]]                      # an axis of named settings
///   name = "words"
///   prompt-tuning-init = "sample_vocab"
///   sweep.seed = [1, 2]              # axes of this variant alone, over those above
///   [evaluate]                       # options of `preamble eval` for each result; its scores begin with test_
///   file = "test.tsv"
///   [adapt]                          # options of `preamble adapt` for the axis adaptation-steps: the model of a run is [adapt]'s after so
///   model = "$models/t5-span"        # many updates; one run of `adapt` makes them all
///   [[plot]]
///   x = "num-virtual-tokens"
///   series = "variant"
///
/// Throws FileError with the line for what is malformed, for an unknown key, and for an option given twice over.
[[nodiscard]] SweepPlan read_sweep(const std::filesystem::path& path, const std::map<std::string, std::string>& values);

/// The runs of `plan` that are left to do, in groups that one program trains: prompts in front of the input that differ in seed, learning
/// rate, initialiser and length alone, at most `plan.slots` of them. Others are alone.
[[nodiscard]] std::vector<std::vector<std::size_t>> sweep_groups(const SweepPlan& plan, const std::vector<std::size_t>& left);

}  // namespace preamble
