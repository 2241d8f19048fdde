#include "data/span_examples.h"

#include <algorithm>
#include <string_view>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// Byte offset of each code point of a text, and its length behind them.
std::vector<std::int32_t> byte_offsets(std::string_view text) {
  std::vector<std::int32_t> offsets;
  std::size_t at = 0;
  while (at < text.size()) {
    offsets.push_back(static_cast<std::int32_t>(at));
    at += decode_char(text, at).bytes;
  }
  offsets.push_back(static_cast<std::int32_t>(text.size()));
  return offsets;
}

/// Sets the answer's tokens if the window holds all of it.
void locate(SpanWindow& window, const SquadAnswer& answer) {
  if (!answer.begin) return;
  const auto begin = static_cast<std::int32_t>(*answer.begin);
  const auto end = static_cast<std::int32_t>(*answer.begin + answer.text.size());
  const auto& offsets = window.offsets;
  if (offsets.empty() || offsets.front().begin > begin || offsets.back().end < end) return;
  // the last token that begins at or before the answer, and the first that ends at or behind it
  const auto first = std::ranges::find_if(offsets, [&](const CharRange& token) { return token.begin > begin; }) - offsets.begin() - 1;
  const auto last = std::ranges::find_if(offsets, [&](const CharRange& token) { return token.end >= end; }) - offsets.begin();
  if (last < first) return;
  window.example.begin = window.first + static_cast<std::int32_t>(first);
  window.example.end = window.first + static_cast<std::int32_t>(last);
}

SpanWindow window_of(const Encoding& encoding, std::span<const std::int32_t> bytes) {
  SpanWindow window;
  window.example.source = encoding.ids;
  if (std::ranges::any_of(encoding.type_ids, [](std::int32_t type) { return type != 0; })) window.example.types = encoding.type_ids;
  window.first = -1;
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    if (encoding.sequence_ids[i] != 1) continue;
    if (window.first < 0) window.first = static_cast<std::int32_t>(i);
    const CharRange& chars = encoding.offsets[i];
    window.offsets.push_back({bytes[static_cast<std::size_t>(chars.begin)], bytes[static_cast<std::size_t>(chars.end)]});
  }
  window.example.begin = window.example.end = 0;
  return window;
}

/// Cuts questions that leave too little room for the text.
class QuestionCutter {
 public:
  QuestionCutter(const SpanRules& rules, const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    const auto special = static_cast<std::int64_t>(tokenizer.special_count(true));
    const std::int64_t room = rules.max_length - special;
    longest_ = room - rules.doc_stride - 1;
    cut_ = std::min(longest_, room / 2);
  }

  [[nodiscard]] std::string cut(const std::string& question, TruncationReport& report) const {
    EncodeOptions options;
    options.add_special_tokens = false;
    const Encoding encoding = tokenizer_.encode(TextInput(question), options);
    const auto size = static_cast<std::int64_t>(encoding.size());
    // without any room the tokenizer says so
    if (size <= longest_ || cut_ < 1) return question;
    ++report.sources_cut;
    report.source_tokens_cut += size - cut_;
    const auto end = static_cast<std::size_t>(encoding.offsets[static_cast<std::size_t>(cut_ - 1)].end);
    return question.substr(0, static_cast<std::size_t>(byte_offsets(question)[end]));
  }

 private:
  const Tokenizer& tokenizer_;
  std::int64_t longest_ = 0, cut_ = 0;
};

}  // namespace

std::vector<SpanWindow> span_windows(const SquadData& data, const SpanRules& rules, const Tokenizer& tokenizer, TruncationReport& report) {
  require<ConfigError>(rules.max_length > 0 && rules.doc_stride >= 0, "windows of {} tokens with a stride of {}; wanted positive numbers",
                       rules.max_length, rules.doc_stride);
  EncodeOptions options;
  options.max_length = static_cast<std::size_t>(rules.max_length);
  options.stride = static_cast<std::size_t>(rules.doc_stride);
  options.truncation = Truncation::only_second;
  const QuestionCutter cutter(rules, tokenizer);
  std::vector<SpanWindow> windows;
  for (std::size_t q = 0; q < data.questions.size(); ++q) {
    const SquadQuestion& question = data.questions[q];
    const std::string& context = data.paragraphs.at(question.paragraph).context;
    const std::vector<std::int32_t> bytes = byte_offsets(context);
    for (const auto& encoding : tokenizer.encode_windows(cutter.cut(question.question, report), context, options)) {
      require<ConfigError>(encoding.is_special(0), "extractive answers: the tokenizer puts no token in front; wanted one for 'no answer'");
      SpanWindow& window = windows.emplace_back(window_of(encoding, bytes));
      window.question = q;
      window.example.row = static_cast<std::int64_t>(q);
      if (!question.answers.empty()) locate(window, question.answers.front());
    }
  }
  return windows;
}

}  // namespace preamble
