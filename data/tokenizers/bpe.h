// Byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare words with subword units").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// Two tokens, in the vocabulary's spelling, that are merged into their concatenation.
using MergeRule = std::pair<std::string, std::string>;

/// Merges the bytes of a piece, the rule of lowest rank first, the leftmost place first. Time is O(n log n) in the bytes.
class Bpe {
 public:
  /// The rank of a rule is its place in the list. Throws FileError if the vocabulary lacks one of the 256 bytes, a rule's
  /// parts or their concatenation.
  Bpe(const Vocabulary& vocabulary, std::span<const MergeRule> rules);

  /// A token of a piece: bytes [begin, end).
  struct Segment {
    std::int32_t id;
    std::size_t begin, end;
  };

  /// Memory that calls share; one for each thread.
  class Scratch {
    friend class Bpe;
    struct Symbol {
      std::int32_t id;
      std::int32_t previous, next;
      std::size_t begin, end;
    };
    /// A possible merge of the symbol at `place` with the next one.
    struct Candidate {
      std::int32_t rank, place, id;
    };
    std::vector<Symbol> symbols_;
    std::vector<Candidate> heap_;
    std::vector<Segment> segments_;
  };

  /// The tokens of a piece, valid until the next call with the same scratch.
  [[nodiscard]] std::span<const Segment> segment(std::string_view bytes, Scratch& scratch) const;

 private:
  struct Merge {
    std::int32_t rank, id;
  };

  [[nodiscard]] const Merge* merge_of(std::int32_t left, std::int32_t right) const noexcept;
  void offer(std::int32_t place, Scratch& scratch) const;

  std::array<std::int32_t, 256> byte_ids_ = {};
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace preamble
