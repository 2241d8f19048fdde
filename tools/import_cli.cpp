#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "models/gguf/import.h"
#include "tools/commands.h"

namespace preamble {

void add_import(CLI::App& app) {
  struct Options {
    std::filesystem::path gguf, output;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("import",
                                     "make a model folder around a GGUF file of llama.cpp (llama, qwen2, qwen3, gemma, gptneox, gpt2, bert, "
                                     "t5): its tensors stay in the file as they are and are mapped from it");
  const auto options = std::make_shared<Options>();
  command->add_option("--gguf", options->gguf, "GGUF file; types F32, F16, BF16, Q8_0, Q4_0, Q4_K and Q6_K")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--output", options->output, "folder that gets config.json, tokenizer files and a link to the file")->required();
  add_common(*command, options->common);
  command->callback([options] {
    import_gguf(options->gguf, options->output);
    fmt::print("{}: a model folder; its tensors lie in {}\n", options->output.string(), options->gguf.string());
  });
}

}  // namespace preamble
