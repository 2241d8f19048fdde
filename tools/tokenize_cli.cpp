#include <memory>

#include "tools/commands.h"
#include "tools/tokenize_command.h"

namespace preamble {

void add_tokenize(CLI::App& app) {
  auto* command = app.add_subcommand("tokenize", "turn the texts of a JSON lines file into tokens, or tokens into texts");
  const auto arguments = std::make_shared<TokenizeArguments>();
  const auto common = std::make_shared<CommonOptions>();
  command->add_option("--tokenizer,--model", arguments->tokenizer, "model folder or tokenizer file")->required()->check(CLI::ExistingPath);
  command->add_option("--in", arguments->input, "JSON lines with text (and pair, special, options), or with decode")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--out", arguments->output, "JSON lines that get ids, offsets, decoded texts")->required();
  add_common(*command, *common);
  command->callback([arguments] { tokenize_command(*arguments); });
}

}  // namespace preamble
