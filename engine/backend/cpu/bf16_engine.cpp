#include "engine/backend/cpu/bf16_engine.h"

#include <array>
#include <cstddef>
#include <cstdlib>

#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace preamble::cpu {
namespace {

struct Engines {
  std::array<Bf16Engine, 2> all;
  std::size_t count = 0;
};

#ifdef __x86_64__
/// The processor has tiles of bf16, and the kernel lets this process use them.
bool has_amx() noexcept {
  constexpr unsigned kTiles = 1U << 24U, kBf16 = 1U << 22U;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTiles) == 0 || (d & kBf16) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

const Engines& engines() noexcept {
  static const Engines found = [] {
    Engines e;
#ifdef __x86_64__
    const char* const named = std::getenv("PREAMBLE_BF16");
    const auto offer = [&](const Bf16Engine& engine) {
      if (named == nullptr || engine.name == named) e.all[e.count++] = engine;
    };
    if (has_amx()) offer({"amx_bf16", bf16_product_amx, 32});
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl")) offer({"avx512_bf16", bf16_product_avx512, 36});
#endif
    return e;
  }();
  return found;
}

}  // namespace

std::span<const Bf16Engine> bf16_engines() noexcept { return {engines().all.data(), engines().count}; }

Bf16Engine best_bf16_engine() noexcept { return bf16_engines().empty() ? Bf16Engine{"widening", nullptr, 36} : bf16_engines().front(); }

}  // namespace preamble::cpu
