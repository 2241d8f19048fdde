#include "data/tokenizers/bpe.h"

#include <algorithm>
#include <tuple>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::int32_t kNone = -1;
/// The id of a symbol that was merged into the one before it.
constexpr std::int32_t kGone = -1;

[[nodiscard]] std::uint64_t key_of(std::int32_t left, std::int32_t right) noexcept {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

/// Heap order: the lowest rank on top, of equal ranks the leftmost.
constexpr auto kLater = [](const auto& a, const auto& b) { return std::tie(a.rank, a.place) > std::tie(b.rank, b.place); };

}  // namespace

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const MergeRule> rules) {
  const auto id_of = [&](std::string_view token, std::string_view what) {
    const auto id = vocabulary.find(token);
    require<FileError>(id.has_value(), "{}: no token '{}', {}; wanted one", vocabulary.origin(), token, what);
    return *id;
  };
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    byte_ids_[byte] = id_of(encode_utf8(std::u32string(1, byte_to_char(static_cast<unsigned char>(byte)))), "one of the 256 bytes");
  }
  merges_.reserve(rules.size());
  for (std::size_t rank = 0; rank < rules.size(); ++rank) {
    const auto& [left, right] = rules[rank];
    const std::int32_t left_id = id_of(left, "part of a merge");
    const std::int32_t right_id = id_of(right, "part of a merge");
    merges_.insert_or_assign(key_of(left_id, right_id), Merge{static_cast<std::int32_t>(rank), id_of(left + right, "result of a merge")});
  }
}

const Bpe::Merge* Bpe::merge_of(std::int32_t left, std::int32_t right) const noexcept {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::offer(std::int32_t place, Scratch& scratch) const {
  const auto& symbol = scratch.symbols_[static_cast<std::size_t>(place)];
  if (symbol.next == kNone) return;
  const Merge* merge = merge_of(symbol.id, scratch.symbols_[static_cast<std::size_t>(symbol.next)].id);
  if (merge == nullptr) return;
  scratch.heap_.push_back({merge->rank, place, merge->id});
  std::push_heap(scratch.heap_.begin(), scratch.heap_.end(), kLater);
}

std::span<const Bpe::Segment> Bpe::segment(std::string_view bytes, Scratch& scratch) const {
  auto& symbols = scratch.symbols_;
  const auto at = [&](std::int32_t place) -> Scratch::Symbol& { return symbols[static_cast<std::size_t>(place)]; };
  const auto count = static_cast<std::int32_t>(bytes.size());
  symbols.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    const auto begin = static_cast<std::size_t>(i);
    symbols.push_back({byte_ids_[static_cast<unsigned char>(bytes[begin])], i - 1, i + 1 < count ? i + 1 : kNone, begin, begin + 1});
  }
  auto& heap = scratch.heap_;
  heap.clear();
  for (std::int32_t i = 0; i < count; ++i) offer(i, scratch);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), kLater);
    const auto candidate = heap.back();
    heap.pop_back();
    auto& symbol = at(candidate.place);
    if (symbol.id == kGone || symbol.next == kNone) continue;
    const Merge* merge = merge_of(symbol.id, at(symbol.next).id);
    // the symbols may have changed since the candidate was made
    if (merge == nullptr || merge->rank != candidate.rank) continue;
    auto& next = at(symbol.next);
    symbol.id = candidate.id;
    symbol.end = next.end;
    symbol.next = next.next;
    next.id = kGone;
    if (symbol.next != kNone) at(symbol.next).previous = candidate.place;
    if (symbol.previous != kNone) offer(symbol.previous, scratch);
    offer(candidate.place, scratch);
  }
  scratch.segments_.clear();
  for (std::int32_t i = count > 0 ? 0 : kNone; i != kNone; i = at(i).next) scratch.segments_.push_back({at(i).id, at(i).begin, at(i).end});
  return scratch.segments_;
}

}  // namespace preamble
