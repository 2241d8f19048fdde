#include "tools/passed_on.h"

#include "tools/commands.h"

namespace preamble {

std::vector<std::string> passed_on(const CLI::App& command) {
  std::vector<std::string> words;
  for (const auto* name : {"--threads", "--device", "--compute"}) {
    const CLI::Option* option = command.get_option(name);
    if (option->count() == 0) continue;
    const std::string value = option->results().back();
    words.insert(words.end(), {name, option->get_name() == "--device" ? device_of_rank(value) : value});
  }
  if (command.count("--strict") > 0) words.emplace_back("--strict");
  return words;
}

}  // namespace preamble
