#include "engine/backend/cpu/blas_kernels.h"

#include <cstdlib>

#include <cblas.h>
#include <dlfcn.h>

namespace preamble::cpu {
namespace {

constexpr const char* kChoice = "OPENBLAS_CORETYPE";

/// Kernels that every processor with AVX2 can run, and the best of those that processors with AVX-512 can; null without AVX2.
const char* best_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

/// Are these kernels for processors without AVX2?
bool is_old(const std::string& name) {
  for (const char* old : {"Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Core2", "Penryn", "Dunnington", "Nehalem", "Athlon", "Opteron",
                          "Opteron_SSE3", "Barcelona", "Bobcat", "Atom", "Nano", "Sandybridge", "Bulldozer", "Piledriver", "Unknown"}) {
    if (name == old) return true;
  }
  return false;
}

}  // namespace

std::string choose_blas_kernels() {
  const char* const best = best_kernels();
  if (std::getenv(kChoice) != nullptr || best == nullptr || !is_old(openblas_get_corename())) return openblas_get_corename();
  // builds of OpenBLAS for several processors have these; one for a single processor has nothing to choose
  const auto quit = reinterpret_cast<void (*)()>(::dlsym(RTLD_DEFAULT, "gotoblas_dynamic_quit"));
  const auto init = reinterpret_cast<void (*)()>(::dlsym(RTLD_DEFAULT, "gotoblas_dynamic_init"));
  if (quit == nullptr || init == nullptr) return openblas_get_corename();
  ::setenv(kChoice, best, 0);
  quit();
  init();
  ::unsetenv(kChoice);
  return openblas_get_corename();
}

namespace {

// while there is one thread: others may not read the environment meanwhile, nor multiply
const std::string chosen = choose_blas_kernels();

}  // namespace
}  // namespace preamble::cpu
