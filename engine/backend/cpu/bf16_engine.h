// Products of bf16 numbers with sums in float32, by the instructions that a processor has for them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/dtype.h"

namespace preamble::cpu {

/// A few rows against packed columns.
///
/// Columns are packed 16 at a time: for each pair of k, the pair of each of the 16 columns, [k / 2][16][2].
struct Bf16Panel {
  /// Most rows of a panel of any engine; columns come in multiples of `kColumns`, k in multiples of `kDepth`.
  static constexpr std::int64_t kMostRows = 36, kColumns = 32, kDepth = 32, kPacked = 16;

  const BFloat16* a = nullptr;  ///< [rows, k]
  std::int64_t lda = 0;
  std::int64_t rows = 0;
  const BFloat16* packed = nullptr;  ///< columns of B
  std::int64_t k = 0, columns = 0;
  float* c = nullptr;  ///< [rows, columns], written over, or added to
  std::int64_t ldc = 0;
  std::int64_t depth = 0;  ///< k that the columns are packed with, where the panel multiplies a part of it; 0: k
  bool adds = false;       ///< sums go on from what is in c

  /// Elements from a packed column to the next.
  [[nodiscard]] constexpr std::int64_t column() const noexcept { return depth == 0 ? k : depth; }
};

/// Computes on the calling thread.
using Bf16Product = void (*)(const Bf16Panel&);

struct Bf16Engine {
  std::string_view name;
  Bf16Product product = nullptr;
  std::int64_t rows = 32;  ///< of a panel that it computes best; no sum depends on it
};

/// The engines that this machine can run, best first: `amx_bf16`, `avx512_bf16`. Empty where products widen their operands instead. With PREAMBLE_BF16 in
/// the environment, for tests of what other machines run, only the one of that name, or none (`widening`).
[[nodiscard]] std::span<const Bf16Engine> bf16_engines() noexcept;

/// The best of them; without a product if there is none.
[[nodiscard]] Bf16Engine best_bf16_engine() noexcept;

void bf16_product_amx(const Bf16Panel& p);
void bf16_product_avx512(const Bf16Panel& p);

}  // namespace preamble::cpu
