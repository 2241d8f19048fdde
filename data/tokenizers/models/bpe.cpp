#include "data/tokenizers/models/bpe.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

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

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const MergeRule> rules, BpeOptions options) : options_(std::move(options)) {
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    if (const std::string* token = vocabulary.token(static_cast<std::int64_t>(id))) ids_.emplace(*token, *vocabulary.find(*token));
  }
  const auto id_of = [&](std::string_view token, std::string_view what) {
    const auto id = find(token);
    require<FileError>(id.has_value(), "{}: no token '{}', {}; wanted one", vocabulary.origin(), token, what);
    return *id;
  };
  if (options_.unknown) unknown_ = find(*options_.unknown);
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) byte_ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
  merges_.reserve(rules.size());
  for (std::size_t rank = 0; rank < rules.size(); ++rank) {
    const auto& [left, right] = rules[rank];
    const std::int32_t left_id = id_of(left, "part of a merge");
    const std::int32_t right_id = id_of(right, "part of a merge");
    const std::size_t prefix = std::min(options_.continuing_prefix.size(), right.size());
    const std::int32_t id = id_of(left + right.substr(prefix), "result of a merge");
    merges_.insert_or_assign(key_of(left_id, right_id), Merge{static_cast<std::int32_t>(rank), id});
  }
}

std::optional<std::int32_t> Bpe::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int32_t> Bpe::id_of_char(std::string_view character, bool first, bool last) const {
  const bool prefixed = !first && !options_.continuing_prefix.empty();
  const bool suffixed = last && !options_.end_suffix.empty();
  if (!prefixed && !suffixed) return find(character);
  std::string token = prefixed ? options_.continuing_prefix : std::string();
  token += character;
  if (suffixed) token += options_.end_suffix;
  return find(token);
}

const Bpe::Merge* Bpe::merge_of(std::int32_t left, std::int32_t right) const noexcept {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::offer(std::int32_t place, Work& work) const {
  const Symbol& symbol = work.symbols[static_cast<std::size_t>(place)];
  if (symbol.next == kNone) return;
  const Merge* merge = merge_of(symbol.id, work.symbols[static_cast<std::size_t>(symbol.next)].id);
  if (merge == nullptr) return;
  work.heap.push_back({merge->rank, place, merge->id});
  std::push_heap(work.heap.begin(), work.heap.end(), kLater);
}

bool Bpe::add_bytes(std::string_view character, Work& work) const {
  const auto has_token = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)].has_value(); };
  if (!options_.byte_fallback || !std::all_of(character.begin(), character.end(), has_token)) return false;
  for (const char c : character) {
    work.symbols.push_back({*byte_ids_[static_cast<unsigned char>(c)], kNone, kNone, work.bytes, work.bytes + 1});
    ++work.bytes;
  }
  return true;
}

void Bpe::add_symbols(std::string_view piece, Work& work) const {
  std::size_t unknown_bytes = 0;
  const auto add = [&](std::int32_t id, std::size_t bytes) {
    work.symbols.push_back({id, kNone, kNone, work.bytes, work.bytes + bytes});
    work.bytes += bytes;
  };
  const auto add_unknown = [&] {
    if (unknown_bytes > 0) add(*unknown_, unknown_bytes);
    unknown_bytes = 0;
  };
  for (std::size_t i = 0; i < piece.size();) {
    const std::size_t bytes = decode_char(piece, i).bytes;
    const std::string_view character = piece.substr(i, bytes);
    const auto id = id_of_char(character, i == 0, i + bytes == piece.size());
    i += bytes;
    if (id) {
      add_unknown();
      add(*id, bytes);
    } else if (!add_bytes(character, work) && options_.unknown) {
      require<FileError>(unknown_.has_value(), "tokenizer: no token for '{}', and none '{}' for unknown ones; wanted one of them", character,
                         *options_.unknown);
      if (!options_.fuse_unknown) add_unknown();
      unknown_bytes += bytes;
    }
  }
  add_unknown();
  const auto count = static_cast<std::int32_t>(work.symbols.size());
  for (std::int32_t i = 0; i < count; ++i) {
    work.symbols[static_cast<std::size_t>(i)].previous = i - 1;
    work.symbols[static_cast<std::size_t>(i)].next = i + 1 < count ? i + 1 : kNone;
  }
}

void Bpe::merge_all(Work& work) const {
  auto& symbols = work.symbols;
  auto& heap = work.heap;
  const auto at = [&](std::int32_t place) -> Symbol& { return symbols[static_cast<std::size_t>(place)]; };
  for (std::size_t i = 0; i < symbols.size(); ++i) offer(static_cast<std::int32_t>(i), work);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), kLater);
    const Candidate candidate = heap.back();
    heap.pop_back();
    Symbol& symbol = at(candidate.place);
    if (symbol.id == kGone || symbol.next == kNone) continue;
    const Merge* merge = merge_of(symbol.id, at(symbol.next).id);
    // the symbols may have changed since the candidate was made; what makes the same token still counts
    if (merge == nullptr || merge->id != candidate.id) continue;
    Symbol& next = at(symbol.next);
    symbol.id = candidate.id;
    symbol.end = next.end;
    symbol.next = next.next;
    next.id = kGone;
    if (symbol.next != kNone) at(symbol.next).previous = candidate.place;
    if (symbol.previous != kNone) offer(symbol.previous, work);
    offer(candidate.place, work);
  }
}

void Bpe::tokenize(std::string_view piece, std::vector<ModelToken>& out) const {
  if (options_.ignore_merges) {
    if (const auto id = find(piece)) {
      out.push_back({*id, 0, piece.size()});
      return;
    }
  }
  thread_local Work work;
  work.symbols.clear();
  work.heap.clear();
  work.bytes = 0;
  add_symbols(piece, work);
  merge_all(work);
  for (const Symbol& symbol : work.symbols) {
    if (symbol.id != kGone) out.push_back({symbol.id, symbol.begin, symbol.end});
  }
}

}  // namespace preamble
