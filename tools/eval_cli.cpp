#include <memory>

#include "tools/commands.h"
#include "tools/encoder_options.h"
#include "tools/eval_command.h"
#include "tools/eval_encoder.h"

namespace preamble {
namespace {

struct EvalOptions {
  EvalArguments arguments;
  TaskOptions task;
  EncoderOptions encoder;
  GenerationOptions generation;
  CommonOptions common;
};

CLI::Option* add_model(CLI::App& command, std::filesystem::path& model, std::vector<std::filesystem::path>& adapters,
                       WeightOptions& weights) {
  command.add_option("--adapter", adapters, "adapter folder; give the option again for each further adapter")
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  weights.add_to(command);
  return command.add_option("--model", model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
}

std::shared_ptr<EvalOptions> add_shared(CLI::App& command) {
  auto options = std::make_shared<EvalOptions>();
  EvalArguments& args = options->arguments;
  add_model(command, args.model, args.adapters, args.weights);
  command
      .add_option("--file", args.file,
                  "data file: JSONL, JSON, TSV, CSV; CoNLL columns or JSON with tokens (TOKEN_CLS); SQuAD's JSON (QUESTION_ANS); or the "
                  "format that --format names")
      ->required()
      ->check(CLI::ExistingPath);
  command.add_option("--output", args.output,
                     "file for the predictions, as JSONL; if its name ends in .txt, it gets the predicted texts alone, one per line");
  add_common(command, options->common);
  options->task.add_to(command);
  options->encoder.add_to(command);
  options->generation.add_to(command);
  return options;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand(
      "eval",
      "score a model with its adapter on a labelled file; several adapters vote, and with heads the mean of their probabilities decides");
  const auto options = add_shared(*command);
  command->add_flag("--generate", options->arguments.generate,
                    "with --labels: also generate texts, and report the share that equals the label word");
  command
      ->add_option("--metrics", options->arguments.metrics,
                   "metrics of the generated texts, separated by commas: names of `preamble score --list`, and loss")
      ->delimiter(',');
  command->add_flag("--json", options->arguments.json, "print one JSON object to standard output");
  command->callback([options] {
    if (is_encoder_task(options->arguments, options->encoder)) {
      eval_encoder_command(options->arguments, options->task, options->encoder);
    } else {
      options->encoder.require_fit({});
      eval_command(options->arguments, options->task, options->generation);
    }
  });
}

void add_predict(CLI::App& app) {
  auto* command = app.add_subcommand("predict", "predict the answer of each row of a file; the result is JSONL");
  const auto options = add_shared(*command);
  command->add_flag("--distinct", options->arguments.distinct, "predict one answer for all rows with equal inputs");
  command->callback([options] {
    if (is_encoder_task(options->arguments, options->encoder)) {
      predict_encoder_command(options->arguments, options->task, options->encoder);
    } else {
      options->encoder.require_fit({});
      predict_command(options->arguments, options->task, options->generation);
    }
  });
}

void add_generate(CLI::App& app) {
  struct Options {
    GenerateArguments arguments;
    GenerationOptions generation;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("generate", "generate a continuation for each --text, or for each line of standard input");
  const auto options = std::make_shared<Options>();
  add_model(*command, options->arguments.model, options->arguments.adapters, options->arguments.weights);
  command->add_option("--text", options->arguments.texts, "a text; give the option again for each further text")->allow_extra_args(false);
  add_common(*command, options->common);
  options->generation.add_to(*command);
  command->callback([options] { generate_command(options->arguments, options->generation); });
}

}  // namespace preamble
