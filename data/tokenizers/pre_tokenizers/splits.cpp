#include "data/tokenizers/pre_tokenizers/splits.h"

#include <iterator>

#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

enum class RunKind : std::uint8_t { white, word, other };

[[nodiscard]] RunKind run_kind_of(char32_t c) noexcept {
  if (is(CharClass::word, c)) return RunKind::word;
  return is(CharClass::white_space, c) ? RunKind::white : RunKind::other;
}

}  // namespace

void append_split(AlignedText piece, const std::vector<PatternPiece>& matches, SplitBehavior behavior, std::vector<AlignedText>& out) {
  const std::vector<ByteRange> ranges = split_ranges(matches, behavior);
  if (ranges.size() == 1 && ranges.front() == ByteRange{0, piece.text().size()}) {
    out.push_back(std::move(piece));
    return;
  }
  for (const ByteRange& range : ranges) out.push_back(piece.slice(range));
}

void PatternSplit::cut(AlignedText piece, const PreTokenizeOptions& /*options*/, std::vector<AlignedText>& out) const {
  auto matches = pattern_.pieces(piece.text());
  if (invert_) {
    for (auto& match : matches) match.is_match = !match.is_match;
  }
  append_split(std::move(piece), matches, behavior_, out);
}

void ClassSplit::cut(AlignedText piece, const PreTokenizeOptions& /*options*/, std::vector<AlignedText>& out) const {
  const auto matches = pieces_by_class(piece.text(), [this](char32_t c) { return is(class_, c); });
  append_split(std::move(piece), matches, behavior_, out);
}

void WhitespacePreTokenizer::cut(AlignedText piece, const PreTokenizeOptions& /*options*/, std::vector<AlignedText>& out) const {
  std::vector<PatternPiece> runs;
  const std::string& text = piece.text();
  RunKind last = RunKind::white;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    const RunKind kind = run_kind_of(c.code);
    if (runs.empty() || kind != last) runs.push_back({{i, i}, kind == RunKind::white});
    last = kind;
    runs.back().range.end = i += c.bytes;
  }
  append_split(std::move(piece), runs, SplitBehavior::removed, out);
}

void FixedLength::cut(AlignedText piece, const PreTokenizeOptions& /*options*/, std::vector<AlignedText>& out) const {
  std::vector<PatternPiece> runs;
  std::size_t count = 0;
  for (std::size_t i = 0; i < piece.text().size(); ++count) {
    if (count % length_ == 0) runs.push_back({{i, i}, true});
    i += decode_char(piece.text(), i).bytes;
    runs.back().range.end = i;
  }
  append_split(std::move(piece), runs, SplitBehavior::isolated, out);
}

void PreTokenizerSequence::cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const {
  std::vector<AlignedText> pieces, next;
  pieces.push_back(std::move(piece));
  for (const auto& part : parts_) {
    next.clear();
    for (AlignedText& one : pieces) part->cut(std::move(one), options, next);
    pieces.swap(next);
  }
  out.insert(out.end(), std::make_move_iterator(pieces.begin()), std::make_move_iterator(pieces.end()));
}

std::unique_ptr<PreTokenizer> bert_pre_tokenizer() {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  parts.push_back(std::make_unique<ClassSplit>(CharClass::white_space, SplitBehavior::removed));
  parts.push_back(std::make_unique<ClassSplit>(CharClass::bert_punctuation, SplitBehavior::isolated));
  return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

}  // namespace preamble
