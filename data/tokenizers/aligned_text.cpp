#include "data/tokenizers/aligned_text.h"

#include <algorithm>
#include <utility>

#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

/// Bytes of the UTF-8 character that begins with `lead`.
[[nodiscard]] std::size_t char_bytes(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

AlignedText::AlignedText(std::string_view text, std::int32_t base) : text_(text), base_(base) {
  origins_.reserve(text.size());
  std::int32_t index = base;
  for (std::size_t i = 0; i < text.size(); ++index) {
    const std::size_t bytes = std::min(char_bytes(text[i]), text.size() - i);
    origins_.insert(origins_.end(), bytes, {index, index + 1});
    i += bytes;
  }
}

CharRange AlignedText::origin(std::size_t begin, std::size_t end) const { return {origins_[begin].begin, origins_[end - 1].end}; }

void AlignedText::rewrite(std::span<const Step> steps, std::size_t skipped) {
  std::string text;
  std::vector<CharRange> origins;
  text.reserve(text_.size());
  origins.reserve(text_.size());
  std::size_t at = 0;
  const auto pass = [&](std::size_t count) {
    for (; count > 0 && at < text_.size(); --count) at += char_bytes(text_[at]);
  };
  pass(skipped);
  for (const Step& step : steps) {
    CharRange origin = {base_, base_};
    if (step.change > 0) {
      if (at > 0) origin = origins_[at - 1];
    } else if (!origins_.empty()) {
      origin = origins_[std::min(at, origins_.size() - 1)];
      pass(1 + static_cast<std::size_t>(-step.change));
    }
    append_utf8(step.c, text);
    origins.resize(text.size(), origin);
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
}

void AlignedText::filter_by(const std::vector<bool>& keep, std::u32string_view chars) {
  if (std::find(keep.begin(), keep.end(), false) == keep.end()) return;
  std::vector<Step> steps;
  std::size_t skipped = 0;
  for (std::size_t i = 0; i < chars.size(); ++i) {
    if (keep[i]) {
      steps.push_back({chars[i], 0});
    } else if (steps.empty()) {
      ++skipped;
    } else {
      --steps.back().change;
    }
  }
  rewrite(steps, skipped);
}

void AlignedText::prepend(std::string_view text) {
  if (text_.empty()) return;
  origins_.insert(origins_.begin(), text.size(), origins_.front());
  text_.insert(0, text);
}

void AlignedText::replace(std::span<const PatternPiece> pieces, std::string_view content) {
  if (std::none_of(pieces.begin(), pieces.end(), [](const PatternPiece& piece) { return piece.is_match; })) return;
  std::string text;
  std::vector<CharRange> origins;
  for (const auto& [range, is_match] : pieces) {
    if (is_match) {
      text += content;
      origins.resize(text.size(), range.end > 0 ? origins_[range.end - 1] : CharRange{base_, base_});
    } else {
      text.append(text_, range.begin, range.end - range.begin);
      origins.insert(origins.end(), origins_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                     origins_.begin() + static_cast<std::ptrdiff_t>(range.end));
    }
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
}

AlignedText AlignedText::slice(ByteRange range) const {
  AlignedText part;
  part.text_ = text_.substr(range.begin, range.end - range.begin);
  part.origins_.assign(origins_.begin() + static_cast<std::ptrdiff_t>(range.begin), origins_.begin() + static_cast<std::ptrdiff_t>(range.end));
  part.base_ = part.origins_.empty() ? base_ : part.origins_.front().begin;
  return part;
}

std::u32string AlignedText::chars() const { return decode_utf8(text_); }

}  // namespace preamble
