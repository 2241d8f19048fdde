// How a family of models names what puts prompts in front of its sequences.
#pragma once

#include <string_view>

namespace preamble {

struct PromptNames {
  std::string_view rows;         ///< row space: tokens and prompts
  std::string_view prompt_rows;  ///< subset: those that are prompts
  std::string_view index;        ///< input i32 [rows]: operand `index` of merge_rows
};

}  // namespace preamble
