// FNV-1a: hashes that tell two contents apart, not safe against those who search for a collision.
#pragma once

#include <cstddef>
#include <cstdint>

namespace preamble {

/// What a hash of nothing is.
inline constexpr std::uint64_t kHashSeed = 0xCBF29CE484222325ULL;

/// FNV-1a of `size` bytes, going on from `hash`.
[[nodiscard]] std::uint64_t fnv1a(std::uint64_t hash, const void* data, std::size_t size) noexcept;

/// A relative of it over words of eight bytes, the last one filled with zeros, which is several times as fast. A step of it is a bijection
/// too, so any change of one word changes the result.
[[nodiscard]] std::uint64_t hash_words(std::uint64_t hash, const void* data, std::size_t size) noexcept;

}  // namespace preamble
