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
                       std::string& weights) {
  command.add_option("--adapter", adapters, "adapter folder")->check(CLI::ExistingDirectory)->allow_extra_args(false);
  command.add_option("--weights", weights, "how frozen matrices are held: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  return command.add_option("--model", model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
}

std::shared_ptr<EvalOptions> add_shared(CLI::App& command) {
  auto options = std::make_shared<EvalOptions>();
  EvalArguments& args = options->arguments;
  add_model(command, args.model, args.adapters, args.weights);
  command.add_option("--file", args.file, "JSONL, JSON, TSV, CSV; a set that --format names; CoNLL columns; SQuAD's JSON")
      ->required()
      ->check(CLI::ExistingPath);
  command.add_option("--output", args.output, "predictions as JSONL; to a name that ends in .txt the texts alone, one a line");
  add_common(command, options->common);
  options->task.add_to(command);
  options->encoder.add_to(command);
  options->generation.add_to(command);
  return options;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand(
      "eval", "score a model with its adapter on a labelled file; several adapters vote (with heads: the mean of their probabilities)");
  const auto options = add_shared(*command);
  command->add_flag("--generate", options->arguments.generate, "classes: generate texts too, and count those that are the label word");
  command->add_option("--metrics", options->arguments.metrics, "of generated texts: names of `preamble score`, and loss")->delimiter(',');
  command->add_flag("--json", options->arguments.json, "one JSON object on standard output");
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
  auto* command = app.add_subcommand("predict", "answer each row of a file, as JSONL");
  const auto options = add_shared(*command);
  command->add_flag("--distinct", options->arguments.distinct, "answer rows with equal inputs once");
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
  auto* command = app.add_subcommand("generate", "continue texts: --text, or lines of standard input");
  const auto options = std::make_shared<Options>();
  add_model(*command, options->arguments.model, options->arguments.adapters, options->arguments.weights);
  command->add_option("--text", options->arguments.texts, "a text; may repeat")->allow_extra_args(false);
  add_common(*command, options->common);
  options->generation.add_to(*command);
  command->callback([options] { generate_command(options->arguments, options->generation); });
}

}  // namespace preamble
