#include "tools/train_text_prompt.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/tasks/task_scores.h"
#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
#include "models/causal_lm.h"
#include "models/heads/headed_encoder.h"
#include "peft/evaluation.h"
#include "tools/loaded_model.h"
#include "tools/progress.h"

namespace preamble {
namespace {

/// Scores of a validation file.
std::map<std::string, double> scores_of(const LoadedModel& loaded, const TextTask& task, const TaskOptions& files,
                                        const std::filesystem::path& file) {
  Table table = files.load(task, file, TaskUse::evaluation);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, true, report);
  report_truncation(file, report);
  Evaluator::Options options;
  options.generation = loaded.generation(task);
  auto references = references_of(task, table);
  if (!task.name.empty()) options.scorer = scorer_of(task.name, std::move(table));
  return Evaluator(*loaded.model, *loaded.method, *loaded.tokenizer, task, std::move(examples), std::move(references), std::move(options))
      .run()
      .metrics;
}

}  // namespace

void add_options(CLI::App& command, TextPromptOptions& o) {
  const auto group = [](CLI::Option* option) { option->group("Text prompt"); };
  group(command.add_option("--instruction", o.instruction, "text-prompt: text in front of everything"));
  group(command.add_option("--shots", o.shots, "text-prompt: number of examples of --train-file in front of the input")
            ->check(CLI::NonNegativeNumber));
  group(command
            .add_option_function<std::string>(
                "--shot-selection",
                [&o](const std::string& name) { o.selection = name == "balanced" ? ShotSelection::balanced : ShotSelection::random; },
                "text-prompt: random, or balanced: each class in turn; both drawn by --seed")
            ->check(CLI::IsMember({"random", "balanced"})));
  group(command.add_option("--shot-rows", o.rows, "text-prompt: numbers of the rows to show, from 0, separated by commas; replaces --shots")
            ->delimiter(',')
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--shot-separator", o.shot_separator, "text-prompt: text behind the instruction and each example (default: an empty line)"));
  group(command.add_option("--answer-separator", o.answer_separator,
                           "text-prompt: text between the input of an example and its answer, and without --separator of every input of a "
                           "decoder-only model (default: a new line)"));
  command
      .add_flag("--calibrate", o.calibrated,
                "text-prompt: divide the likelihoods of classes by those of an input whose fields are empty (Zhao et al. 2021)")
      ->group("Text prompt");
}

int train_text_prompt(const TrainArguments& args, const TaskOptions& files, TextPromptOptions options) {
  options.seed = args.samples_seed.value_or(args.seed);
  const LoadedModel loaded(args.model, {}, args.weights);
  const bool decoder_only = dynamic_cast<const CausalLm*>(loaded.model.get()) != nullptr;
  require<UnsupportedError>(dynamic_cast<const EncoderModel*>(loaded.model.get()) == nullptr,
                            "--method text-prompt: an encoder answers through its head; wanted an encoder-decoder or a decoder");
  const TextTask plain = files.task(std::nullopt, args.train_file);
  TextTask task = with_text_prompt(plain, files.load(plain, args.train_file, TaskUse::training), options, decoder_only);
  fit_to_model(task, *loaded.model, *loaded.tokenizer);
  std::error_code error;
  std::filesystem::create_directories(args.output_dir, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", args.output_dir.string(), error.message());
  nlohmann::ordered_json json = {{"done", true}, {"method", "text-prompt"}, {"output_dir", args.output_dir.string()}};
  fmt::print("text-prompt: the input is now\n{}\n", task.input);
  if (args.validation_file) {
    const auto scores = scores_of(loaded, task, files, *args.validation_file);
    json["eval"] = scores;
    for (const auto& [name, value] : scores) fmt::print("  {:<18} {:.4f}\n", name, value);
  }
  if (world().is_root()) {
    task.write(args.output_dir);
    JsonLog(args.json, false).write(json);
  }
  fmt::print("saved to {}\n", args.output_dir.string());
  return 0;
}

}  // namespace preamble
