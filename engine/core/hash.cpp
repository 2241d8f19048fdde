#include "engine/core/hash.h"

#include <algorithm>
#include <cstring>

namespace preamble {
namespace {

constexpr std::uint64_t kFnvPrime = 0x100000001B3ULL;

}  // namespace

std::uint64_t fnv1a(std::uint64_t hash, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * kFnvPrime;
  return hash;
}

std::uint64_t hash_words(std::uint64_t hash, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min(sizeof word, size - i));
    hash = (hash ^ word) * kFnvPrime;
    // back to the low bits, or else two changes of the highest bit would cancel each other
    hash ^= hash >> 32U;
  }
  return hash;
}

}  // namespace preamble
