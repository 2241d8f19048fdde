// Byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare words with subword units").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/tokenizers/models/token_model.h"
#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// Two tokens, in the vocabulary's spelling, that are merged into their concatenation (without the second's continuing prefix).
using MergeRule = std::pair<std::string, std::string>;

struct BpeOptions {
  /// Stands for a character that is no token; absent: the character is left out.
  std::optional<std::string> unknown = std::nullopt;
  /// Neighbouring unknown characters are one token.
  bool fuse_unknown = false;
  /// An unknown character becomes the tokens `<0xHH>` of its bytes, if the vocabulary has them all.
  bool byte_fallback = false;
  /// A piece that is a token is taken whole, whatever the merges say.
  bool ignore_merges = false;
  /// In front of the characters of a piece but the first, and behind the last one.
  std::string continuing_prefix = {};
  std::string end_suffix = {};
};

/// Merges the characters of a piece, the rule of lowest rank first, the leftmost place first. Time is O(n log n) in the characters.
class Bpe final : public TokenModel {
 public:
  /// The rank of a rule is its place in the list. Throws FileError if the vocabulary lacks a rule's parts or what they make together.
  Bpe(const Vocabulary& vocabulary, std::span<const MergeRule> rules, BpeOptions options = {});

  /// Throws FileError for an unknown character if the vocabulary lacks the token for it.
  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override;

 private:
  struct Merge {
    std::int32_t rank, id;
  };
  struct Symbol {
    std::int32_t id;
    std::int32_t previous, next;
    std::size_t begin, end;
  };
  /// A possible merge of the symbol at `place` with the next one.
  struct Candidate {
    std::int32_t rank, place, id;
  };
  /// Memory of one call.
  struct Work {
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
    std::size_t bytes = 0;
  };

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;
  [[nodiscard]] std::optional<std::int32_t> id_of_char(std::string_view character, bool first, bool last) const;
  [[nodiscard]] const Merge* merge_of(std::int32_t left, std::int32_t right) const noexcept;
  void add_symbols(std::string_view piece, Work& work) const;
  [[nodiscard]] bool add_bytes(std::string_view character, Work& work) const;
  void merge_all(Work& work) const;
  void offer(std::int32_t place, Work& work) const;

  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::array<std::optional<std::int32_t>, 256> byte_ids_ = {};
  std::optional<std::int32_t> unknown_;
  BpeOptions options_;
};

}  // namespace preamble
