#include <memory>
#include <string>

#include <fmt/ranges.h>

#include "models/made_up_model.h"
#include "tools/commands.h"
#include "tools/explain_command.h"

namespace preamble {
namespace {

struct ExplainOptions {
  ExplainArguments arguments;
  CommonOptions common;
  std::string weights = "f32";
  std::string task{name_of(HeadKind::sequence)};
};

}  // namespace

void add_explain(CLI::App& app) {
  auto* command =
      app.add_subcommand("explain", "bytes and FLOPs of a training step, by layer, beside full fine-tuning; nothing is run or loaded");
  const auto options = std::make_shared<ExplainOptions>();
  ExplainArguments& args = options->arguments;
  const auto shown = [](CLI::Option* option) { return option->capture_default_str(); };
  command
      ->add_option("--model", args.model,
                   fmt::format("Hugging Face folder, of which only config.json is read, or a published shape: {}", fmt::join(published_shapes(), ", ")))
      ->required();
  auto* adapter = command->add_option("--adapter", args.adapter, "adapter folder that would be trained on")->check(CLI::ExistingDirectory);
  MethodShape& method = args.method;
  shown(command->add_option("--method", method.method, "what learns")->check(CLI::IsMember(MethodShape::methods())))->excludes(adapter);
  shown(command->add_option("--num-virtual-tokens", method.virtual_tokens, "rows of the prompt or prefix")->check(CLI::Range(1, 1 << 16)))
      ->excludes(adapter);
  shown(command->add_option("--mlp", method.mlp, "prefix: hidden width of the network that computes it; 0: none")->check(CLI::Range(0, 1 << 16)))
      ->excludes(adapter);
  command
      ->add_option("--prefix-sites", method.sites, "prefix: encoder_self, decoder_self, cross; not given: where PEFT's go")
      ->delimiter(',')
      ->check(CLI::IsMember({"encoder_self", "decoder_self", "cross"}))
      ->excludes(adapter);
  shown(command->add_option("--batch-size", args.batch.sequences, "sequences of an update, or of a generation")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--source", args.batch.source, "encoder-decoder: tokens of each source")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--target", args.batch.target, "encoder-decoder: tokens of each target, all with a label")
            ->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--tokens", args.batch.tokens, "one stack: tokens of each sequence; 0: 128 of an encoder, 512 of a decoder")
            ->check(CLI::Range(0, 1 << 16)));
  shown(command->add_option("--task", options->task,
                            "encoder with a new head: SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS, MASKED_LM"));
  shown(command->add_option("--max-new-tokens", args.new_tokens, "shows the key/value cache of generating so many; 0: not")
            ->check(CLI::Range(0, 1 << 16)));
  shown(command->add_option("--num-beams", args.beams, "of that generation")->check(CLI::Range(1, 1 << 10)));
  shown(command->add_option("--weights", options->weights, "how frozen matrices are held: f32 or bf16")
            ->check(CLI::IsMember({"f32", "bf16"})));
  shown(command->add_option("--memory-budget", args.memory_budget, "of activations: auto, none, min, or bytes such as 512M, 2G"));
  command->add_flag("--json", args.json, "print one JSON object");
  add_common(*command, options->common);
  command->callback([options] {
    options->arguments.batch.head = head_kind_of(options->task);
    options->arguments.weights = options->weights == "bf16" ? Dtype::bf16 : Dtype::f32;
    explain_command(options->arguments);
  });
}

}  // namespace preamble
