// Tokens and their ids, both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace preamble {

/// Ids are below this. It bounds what a file with one huge id can make us allocate; the largest vocabularies are below 2^19.
inline constexpr std::int64_t kTokenIdLimit = 1 << 22;

/// A vocabulary. Ids may have holes; memory is in proportion to the largest id.
class Vocabulary {
 public:
  /// `origin` begins the messages of errors: the file that the tokens come from.
  explicit Vocabulary(std::string origin) : origin_(std::move(origin)) {}
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  /// Gives `token` the id. A token that comes twice is found under its last id, and both ids read as the token.
  /// Throws FileError if the id is negative, is not below kTokenIdLimit, or belongs to another token.
  void add(std::string_view token, std::int64_t id);

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;
  /// The token of an id, or null for an id that has none.
  [[nodiscard]] const std::string* token(std::int64_t id) const noexcept;
  /// One above the largest id.
  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  /// Number of different tokens.
  [[nodiscard]] std::size_t count() const noexcept { return ids_.size(); }
  [[nodiscard]] const std::string& origin() const noexcept { return origin_; }

 private:
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  std::string origin_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  /// Keys of `ids_`, whose nodes never move.
  std::vector<const std::string*> tokens_;
};

}  // namespace preamble
