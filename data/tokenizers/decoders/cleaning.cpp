#include "data/tokenizers/decoders/cleaning.h"

#include <array>
#include <string_view>

namespace preamble {

void clean_up_spaces(std::string& text, bool shorten_not) {
  constexpr std::string_view kNot = " do not";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kReplacements = {{{" .", "."},
                                                                                            {" ?", "?"},
                                                                                            {" !", "!"},
                                                                                            {" ,", ","},
                                                                                            {" ' ", "'"},
                                                                                            {" n't", "n't"},
                                                                                            {" 'm", "'m"},
                                                                                            {kNot, " don't"},
                                                                                            {" 's", "'s"},
                                                                                            {" 've", "'ve"},
                                                                                            {" 're", "'re"}}};
  for (const auto& [what, content] : kReplacements) {
    if (what == kNot && !shorten_not) continue;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + content.size())) text.replace(at, what.size(), content);
  }
}

void CleaningDecoder::decode(std::vector<std::string>& tokens) const {
  if (inner_) inner_->decode(tokens);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !inner_) text += ' ';
    text += tokens[i];
  }
  clean_up_spaces(text, false);
  tokens = {std::move(text)};
}

}  // namespace preamble
