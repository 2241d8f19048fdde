#include <algorithm>
#include <utility>

#include "data/tokenizers/post_processors/post_processor.h"

namespace preamble {
namespace {

/// The place without the white space at both ends.
[[nodiscard]] CharRange trimmed(const Token& token, bool prefixed) {
  std::int32_t leading = token.leading_spaces;
  if (prefixed && leading > 0) --leading;
  const auto [begin, end] = token.offsets;
  const std::int32_t first = std::min(begin + leading, end);
  const std::int32_t last = end >= token.trailing_spaces ? std::max(end - token.trailing_spaces, first) : end;
  return {first, last};
}

}  // namespace

void TemplateProcessor::process(Sequences& sequences, const PostProcessOptions& options) const {
  const auto& parts = sequences.size() > 1 ? pair_ : single_;
  Sequences out;
  for (const TemplatePart& part : parts) {
    if (part.text < 0) {
      if (!options.add_special_tokens) continue;
      auto& special = out.emplace_back();
      for (const std::int32_t id : part.ids) special.push_back({.id = id, .type = part.type, .sequence = -1});
    } else {
      auto& text = out.emplace_back(sequences[static_cast<std::size_t>(part.text)]);
      for (Token& token : text) {
        token.type = part.type;
        if (token.sequence >= 0) token.sequence = part.text;
      }
    }
  }
  sequences = std::move(out);
}

std::size_t TemplateProcessor::added(bool pair) const noexcept {
  std::size_t count = 0;
  for (const TemplatePart& part : pair ? pair_ : single_) count += part.ids.size();
  return count;
}

void OffsetTrimmer::process(Sequences& sequences, const PostProcessOptions& options) const {
  const bool prefix = options.add_prefix_space.value_or(add_prefix_space_);
  for (auto& tokens : sequences) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      Token& token = tokens[i];
      token.offsets = trimmed(token, prefix && (i == 0 || token.offsets.begin == 0));
    }
  }
}

void PostProcessorSequence::process(Sequences& sequences, const PostProcessOptions& options) const {
  for (const auto& part : parts_) part->process(sequences, options);
}

std::size_t PostProcessorSequence::added(bool pair) const noexcept {
  std::size_t count = 0;
  for (const auto& part : parts_) count += part->added(pair);
  return count;
}

std::unique_ptr<PostProcessor> surrounding(std::vector<std::int32_t> begin, std::vector<std::int32_t> between, std::vector<std::int32_t> end,
                                           std::int32_t second_type) {
  std::vector<TemplatePart> single = {{.ids = begin}, {.text = 0}, {.ids = end}};
  std::vector<TemplatePart> pair = {{.ids = std::move(begin)},
                                    {.text = 0},
                                    {.ids = std::move(between)},
                                    {.text = 1, .type = second_type},
                                    {.ids = std::move(end), .type = second_type}};
  return std::make_unique<TemplateProcessor>(std::move(single), std::move(pair));
}

std::unique_ptr<PostProcessor> each_between(std::optional<std::int32_t> bos, std::optional<std::int32_t> eos) {
  std::vector<TemplatePart> single, pair;
  for (const std::int32_t text : {0, 1}) {
    std::vector<TemplatePart> parts;
    if (bos) parts.push_back({.ids = {*bos}, .type = text});
    parts.push_back({.text = text, .type = text});
    if (eos) parts.push_back({.ids = {*eos}, .type = text});
    if (text == 0) single = parts;
    pair.insert(pair.end(), parts.begin(), parts.end());
  }
  return std::make_unique<TemplateProcessor>(std::move(single), std::move(pair));
}

}  // namespace preamble
