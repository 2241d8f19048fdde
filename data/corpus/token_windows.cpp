#include "data/corpus/token_windows.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"

namespace preamble {
namespace {

/// Text that is encoded at a time.
constexpr std::size_t kBytesAhead = std::size_t{1} << 19U;

}  // namespace

std::string WindowRules::describe() const {
  return fmt::format("windows of {} tokens, {} at least, {}{}", length, shortest, packed ? "packed" : "of one document",
                     document_end ? fmt::format(", token {} behind each document", *document_end) : "");
}

TokenWindows::TokenWindows(DocumentReader reader, const Tokenizer& tokenizer, const WindowRules& rules)
    : reader_(std::move(reader)), tokenizer_(tokenizer), rules_(rules) {
  require<ConfigError>(rules.shortest >= 1 && rules.length >= rules.shortest, "text: windows of {} to {} tokens were asked for; wanted 1 at least",
                       rules.shortest, rules.length);
}

bool TokenWindows::refill() {
  std::vector<TextPiece> pieces;
  for (std::size_t bytes = 0; bytes < kBytesAhead;) {
    auto piece = reader_.next();
    if (!piece) break;
    bytes += piece->text.size();
    pieces.push_back(*std::move(piece));
  }
  const std::size_t first = ahead_.size();
  ahead_.resize(first + pieces.size());
  EncodeOptions plain;
  plain.add_special_tokens = false;
  parallel_for(std::ssize(pieces), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      Tokens& tokens = ahead_[first + i];
      tokens.start = pieces[i].start;
      tokens.ids = tokenizer_.encode(pieces[i].text, plain).ids;
      tokens.ends_document = pieces[i].ends_document;
      if (tokens.ends_document && rules_.document_end) tokens.ids.push_back(*rules_.document_end);
    }
  });
  return !pieces.empty();
}

void TokenWindows::drop_taken() {
  while (!ahead_.empty() && ahead_.front().taken == ahead_.front().ids.size()) ahead_.pop_front();
}

std::optional<std::vector<std::int32_t>> TokenWindows::next() {
  const auto length = static_cast<std::size_t>(rules_.length);
  for (;;) {
    std::vector<std::int32_t> window;
    bool ended = false;  // the window may hold no more
    while (window.size() < length && !ended) {
      if (ahead_.empty() && !refill()) break;
      Tokens& tokens = ahead_.front();
      const std::size_t take = std::min(length - window.size(), tokens.ids.size() - tokens.taken);
      const auto from = tokens.ids.begin() + static_cast<std::ptrdiff_t>(tokens.taken);
      window.insert(window.end(), from, from + static_cast<std::ptrdiff_t>(take));
      tokens.taken += take;
      if (tokens.taken < tokens.ids.size()) continue;
      ended = tokens.ends_document && !rules_.packed;
      ahead_.pop_front();
    }
    if (std::ssize(window) >= rules_.shortest) return window;
    if (!ended) return std::nullopt;  // what is left of the pass is too short
  }
}

WindowStart TokenWindows::position() {
  drop_taken();
  while (ahead_.empty() && refill()) drop_taken();
  return ahead_.empty() ? WindowStart{} : WindowStart{ahead_.front().start, ahead_.front().taken};
}

void TokenWindows::seek(const WindowStart& position) {
  ahead_.clear();
  reader_.seek(position.piece);
  if (position == WindowStart{}) return;
  const bool there = refill();
  require<ConfigError>(there && ahead_.front().start == position.piece && position.token < ahead_.front().ids.size(),
                       "text: token {} behind byte {} of file {} was asked for; wanted a window's start", position.token, position.piece.byte,
                       position.piece.file);
  ahead_.front().taken = position.token;
}

}  // namespace preamble
