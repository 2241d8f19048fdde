#include "engine/backend/cpu/blas_kernels.h"

#include <cstdlib>
#include <string>

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

/// A function of OpenBLAS, or null.
template <class Type>
Type* function(const char* name) {
  return reinterpret_cast<Type*>(::dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void choose_blas_kernels() {
  const char* const best = best_kernels();
  if (std::getenv(kChoice) != nullptr || best == nullptr) return;
  // of builds for several processors
  const auto name = function<char*()>("openblas_get_corename");
  const auto quit = function<void()>("gotoblas_dynamic_quit");
  const auto init = function<void()>("gotoblas_dynamic_init");
  if (name == nullptr || quit == nullptr || init == nullptr || !is_old(name())) return;
  ::setenv(kChoice, best, 0);
  quit();
  init();
  ::unsetenv(kChoice);
}

namespace {

// while there is one thread: others may not read the environment meanwhile, nor multiply
const bool chosen = (choose_blas_kernels(), true);

}  // namespace
}  // namespace preamble::cpu
