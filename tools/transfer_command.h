// `preamble transfer`: what is learned on one set, on other sets without training (Lester et al. 2021, section 5).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace preamble {

struct TransferArguments {
  std::filesystem::path model, sets, output_dir;
  std::vector<std::string> methods = {"prompt", "full"};
  std::vector<std::uint64_t> seeds = {1, 2, 3};
  std::vector<std::string> passed_on;  ///< options that every training and evaluation gets: `--device cuda`
  std::optional<std::filesystem::path> csv;
  bool json = false;  ///< one object on standard output
};

/// A number of each seed, summed up.
struct MeanAndDeviation {
  double mean = 0;
  double deviation = 0;  ///< of a sample: over n - 1; 0 for one seed
};
[[nodiscard]] MeanAndDeviation summary_of(const std::vector<double>& values);

/// Trains each method with each seed on one set, in folders METHOD-seedN of `output_dir`, evaluates it on its own validation file and on every
/// other set, and prints means, deviations and the gap between the first two methods. What is there already is not computed again. `sets` is
/// JSON:
///
///   {"train": {"name": "mrpc", "train_file": "train.tsv", "validation_file": "dev.tsv", "options": ["--input", "...", "--labels", "..."]},
///    "evaluate": [{"name": "qqp", "file": "qqp.tsv", "options": ["--input", "...", "--labels", "0=not_equivalent,1=equivalent"]}],
///    "methods": {"prompt": ["--learning-rate", "0.3"], "full": ["--learning-rate", "1e-3"]}}
///
/// Options are those of `train` and `eval`; those of a method go to `train` alone, and those of the trained set to both. Labels of another set
/// are given in the trained set's words: its values are translated. Files are relative to the JSON. Throws FileError for another form, and Error
/// for a run that fails.
int transfer_command(const TransferArguments& arguments);

}  // namespace preamble
