#include "data/tokenizers/models/unigram.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::int32_t kUnreached = -1;

}  // namespace

Unigram::Unigram(std::span<const UnigramPiece> pieces, std::int32_t unknown, bool byte_fallback) : unknown_(unknown) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  double lowest = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    entries.emplace_back(pieces[i].text, static_cast<std::int32_t>(i));
    scores_.push_back(pieces[i].score);
    lowest = i == 0 ? pieces[i].score : std::min(lowest, pieces[i].score);
  }
  trie_ = PrefixTrie(entries);
  unknown_score_ = lowest - kUnknownPenalty;
  if (!byte_fallback) return;
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const std::string token = fmt::format("<0x{:02X}>", byte);
    const auto [bytes, id] = trie_.longest_prefix(token, 0);
    if (bytes == token.size()) byte_ids_[byte] = id;
  }
}

void Unigram::tokenize(std::string_view piece, std::vector<ModelToken>& out) const {
  thread_local Scratch scratch;
  for (const Segment& token : segment(piece, scratch)) {
    if (token.id == unknown_) {
      append_unknown(piece, token, out);
    } else {
      out.push_back(token);
    }
  }
}

void Unigram::append_unknown(std::string_view piece, const Segment& segment, std::vector<ModelToken>& out) const {
  const std::string_view text = piece.substr(segment.begin, segment.end - segment.begin);
  // unknown neighbours may be a piece together
  if (const auto [bytes, id] = trie_.longest_prefix(text, 0); bytes == text.size()) {
    out.push_back({id, segment.begin, segment.end});
    return;
  }
  const auto has_token = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)].has_value(); };
  if (!std::all_of(text.begin(), text.end(), has_token)) {
    out.push_back(segment);
    return;
  }
  for (const char c : text) out.push_back({*byte_ids_[static_cast<unsigned char>(c)], segment.begin, segment.end});
}

std::span<const Unigram::Segment> Unigram::segment(std::string_view word, Scratch& scratch) const {
  auto& best = scratch.best;
  best.assign(word.size() + 1, {0, kUnreached, 0});
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t char_bytes = decode_char(word, begin).bytes;
    const double score_here = best[begin].score;
    const auto offer = [&](std::size_t end, std::int32_t id, double score) {
      auto& node = best[end];
      if (node.id == kUnreached || score > node.score) node = {score, id, begin};
    };
    bool covered = false;
    trie_.for_each_prefix(word, begin, [&](std::size_t bytes, std::int32_t id) {
      offer(begin + bytes, id, scores_[static_cast<std::size_t>(id)] + score_here);
      covered = covered || bytes == char_bytes;
    });
    if (!covered) offer(begin + char_bytes, unknown_, unknown_score_ + score_here);
    begin += char_bytes;
  }

  auto& segments = scratch.segments;
  segments.clear();
  for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
    const auto& node = best[end];
    if (node.id == unknown_ && !segments.empty() && segments.back().id == unknown_) {
      segments.back().begin = node.begin;
    } else {
      segments.push_back({node.id, node.begin, end});
    }
  }
  std::reverse(segments.begin(), segments.end());
  return segments;
}

}  // namespace preamble
