#include <memory>
#include <string>

#include "tools/commands.h"
#include "tools/explain_command.h"

namespace preamble {
namespace {

struct ExplainOptions {
  ExplainArguments arguments;
  CommonOptions common;
  std::string weights = "f32";
};

}  // namespace

void add_explain(CLI::App& app) {
  auto* command =
      app.add_subcommand("explain", "bytes and FLOPs of a training step, by layer, beside full fine-tuning; nothing is run or loaded");
  const auto options = std::make_shared<ExplainOptions>();
  ExplainArguments& args = options->arguments;
  const auto shown = [](CLI::Option* option) { return option->capture_default_str(); };
  command
      ->add_option("--model", args.model, "Hugging Face folder, of which only config.json is read, or t5-small, t5-base, t5-large (v1.1)")
      ->required();
  auto* adapter = command->add_option("--adapter", args.adapter, "adapter folder that would be trained on")->check(CLI::ExistingDirectory);
  shown(command->add_option("--method", args.method, "what learns: prompt, prefix (of the decoder's self-attention, as PEFT's), full")
            ->check(CLI::IsMember({"prompt", "prefix", "full"})))
      ->excludes(adapter);
  shown(command->add_option("--num-virtual-tokens", args.virtual_tokens, "rows of the prompt")->check(CLI::Range(1, 1 << 16)))
      ->excludes(adapter);
  shown(command->add_option("--batch-size", args.batch_size, "sequences of an update")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--source", args.source, "tokens of each source")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--target", args.target, "tokens of each target, all with a label")->check(CLI::Range(1, 1 << 16)));
  shown(command->add_option("--weights", options->weights, "how frozen matrices are held: f32 or bf16")
            ->check(CLI::IsMember({"f32", "bf16"})));
  shown(command->add_option("--memory-budget", args.memory_budget, "of activations: auto, none, min, or bytes such as 512M, 2G"));
  command->add_flag("--json", args.json, "print one JSON object");
  add_common(*command, options->common);
  command->callback([options] {
    options->arguments.weights = options->weights == "bf16" ? Dtype::bf16 : Dtype::f32;
    explain_command(options->arguments);
  });
}

}  // namespace preamble
