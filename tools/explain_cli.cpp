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
  std::string task{name_of(HeadKind::sequence)};
};

}  // namespace

void add_explain(CLI::App& app) {
  auto* command = app.add_subcommand(
      "explain",
      "show bytes and FLOPs of a training step by layer, beside those of full fine-tuning; no weights are loaded and nothing runs");
  const auto options = std::make_shared<ExplainOptions>();
  ExplainArguments& args = options->arguments;
  const auto shown = [](CLI::Option* option) { return option->capture_default_str(); };
  command
      ->add_option("--model", args.model,
                   fmt::format("Hugging Face folder (only its config.json is read), or the name of a published shape: {}",
                               fmt::join(published_shapes(), ", ")))
      ->required();
  auto* adapter =
      command->add_option("--adapter", args.adapter, "adapter folder whose training would continue")->check(CLI::ExistingDirectory);
  MethodShape& method = args.method;
  shown(command->add_option("--method", method.method, "which parameters are trained")->check(CLI::IsMember(MethodShape::methods())))
      ->excludes(adapter);
  shown(command->add_option("--num-virtual-tokens", method.virtual_tokens, "rows of the prompt or prefix")->check(CLI::Range(1, 1 << 16)))
      ->excludes(adapter);
  shown(command->add_option("--lora-r", method.lora.r, "rank of LoRA's additions")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--mlp", method.mlp, "prefix: hidden width of the network that computes the prefix; 0: no network")
            ->check(CLI::Range(0, 1 << 16)))
      ->excludes(adapter);
  command
      ->add_option("--prefix-sites", method.sites,
                   "prefix: attention sites that get one, of encoder_self, decoder_self, cross (default: the site that PEFT uses)")
      ->delimiter(',')
      ->check(CLI::IsMember({"encoder_self", "decoder_self", "cross"}))
      ->excludes(adapter);
  shown(command->add_option("--batch-size", args.batch.sequences, "number of sequences in an update, or in a generation")
            ->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--source", args.batch.source, "encoder-decoder models: tokens per source")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--target", args.batch.target, "encoder-decoder models: tokens per target, each with a label")
            ->check(CLI::Range(1, 1 << 16)));
  shown(command
            ->add_option("--tokens", args.batch.tokens,
                         "encoders and decoder-only models: tokens per sequence; 0: 128 for an encoder, 512 for a decoder")
            ->check(CLI::Range(0, 1 << 16)));
  shown(command->add_option("--task", options->task,
                            "encoders: task of the new head: SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS or MASKED_LM"));
  shown(command->add_option("--max-new-tokens", args.new_tokens, "also show the key/value cache for generating this many tokens; 0: do not")
            ->check(CLI::Range(0, 1 << 16)));
  shown(command->add_option("--num-beams", args.beams, "beams of that generation")->check(CLI::Range(1, 1 << 10)));
  args.weights.add_to(*command);
  shown(command->add_option("--memory-budget", args.memory_budget,
                            "memory for activations: auto, none (no recomputation), min, or a number of bytes such as 512M or 2G"));
  shown(command->add_option("--kept-values", args.kept_values, "form in which activations may be kept for the backward pass: exact, bf16, int8")
            ->check(CLI::IsMember({"exact", "bf16", "int8"})));
  command->add_flag("--json", args.json, "print one JSON object");
  add_common(*command, options->common);
  command->callback([options] {
    options->arguments.batch.head = head_kind_of(options->task);
    explain_command(options->arguments);
  });
}

}  // namespace preamble
