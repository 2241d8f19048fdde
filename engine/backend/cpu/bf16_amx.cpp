// Compiled with AMX: called only where the processor has it and the kernel grants it.
#include <algorithm>
#include <cstdint>

#include <immintrin.h>

#include "engine/backend/cpu/bf16_engine.h"

namespace preamble::cpu {
namespace {

// A tile has 16 rows of 64 bytes. Tiles 0 to 3 are sums of two groups of rows and two of columns, 4 and 5 rows of A, 6 and 7 columns of B.
constexpr std::int64_t kTileRows = 16, kTileBytes = 64;

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

void configure(std::int64_t upper, std::int64_t lower) {
  TileConfig config;
  for (const int tile : {0, 1, 4}) config.rows[tile] = static_cast<std::uint8_t>(upper);
  for (const int tile : {2, 3, 5}) config.rows[tile] = static_cast<std::uint8_t>(lower);
  for (const int tile : {6, 7}) config.rows[tile] = kTileRows;
  for (int tile = 0; tile < 8; ++tile) config.bytes[tile] = config.rows[tile] == 0 ? 0 : kTileBytes;
  // the intrinsic of g++ 12 says that it reads 8 bytes of the 64
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

void both_groups(const Bf16Panel& p) {
  const auto a_bytes = static_cast<std::size_t>(p.lda) * sizeof(BFloat16), c_bytes = static_cast<std::size_t>(p.ldc) * sizeof(float);
  for (std::int64_t j = 0; j < p.columns; j += Bf16Panel::kColumns) {
    const BFloat16* left = p.packed + j * p.column();
    const BFloat16* right = left + Bf16Panel::kPacked * p.column();
    float* c = p.c + j;
    if (p.adds) {
      _tile_loadd(0, c, c_bytes);
      _tile_loadd(1, c + kTileRows, c_bytes);
      _tile_loadd(2, c + kTileRows * p.ldc, c_bytes);
      _tile_loadd(3, c + kTileRows * p.ldc + kTileRows, c_bytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (std::int64_t k = 0; k < p.k; k += Bf16Panel::kDepth) {
      _tile_loadd(6, left + k * Bf16Panel::kPacked, kTileBytes);
      _tile_loadd(4, p.a + k, a_bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, right + k * Bf16Panel::kPacked, kTileBytes);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, p.a + kTileRows * p.lda + k, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    _tile_stored(1, c + kTileRows, c_bytes);
    _tile_stored(2, c + kTileRows * p.ldc, c_bytes);
    _tile_stored(3, c + kTileRows * p.ldc + kTileRows, c_bytes);
  }
}

void upper_group(const Bf16Panel& p) {
  const auto a_bytes = static_cast<std::size_t>(p.lda) * sizeof(BFloat16), c_bytes = static_cast<std::size_t>(p.ldc) * sizeof(float);
  for (std::int64_t j = 0; j < p.columns; j += Bf16Panel::kColumns) {
    const BFloat16* left = p.packed + j * p.column();
    const BFloat16* right = left + Bf16Panel::kPacked * p.column();
    if (p.adds) {
      _tile_loadd(0, p.c + j, c_bytes);
      _tile_loadd(1, p.c + j + kTileRows, c_bytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
    }
    for (std::int64_t k = 0; k < p.k; k += Bf16Panel::kDepth) {
      _tile_loadd(4, p.a + k, a_bytes);
      _tile_loadd(6, left + k * Bf16Panel::kPacked, kTileBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, right + k * Bf16Panel::kPacked, kTileBytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, p.c + j, c_bytes);
    _tile_stored(1, p.c + j + kTileRows, c_bytes);
  }
}

}  // namespace

void bf16_product_amx(const Bf16Panel& p) {
  if (p.rows == 0) return;
  configure(std::min(p.rows, kTileRows), std::max<std::int64_t>(p.rows - kTileRows, 0));
  if (p.rows > kTileRows) {
    both_groups(p);
  } else {
    upper_group(p);
  }
  _tile_release();
}

}  // namespace preamble::cpu
