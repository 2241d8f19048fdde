#include "engine/core/anonymous_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/mman.h>

#include "engine/core/error.h"

namespace preamble {

AnonymousMemory::AnonymousMemory(std::string_view what, std::int64_t bytes)
    : bytes_(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1))) {
  void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require<Error>(memory != MAP_FAILED, "{}: the system refused {} bytes: {}", what, bytes_, std::strerror(errno));
  prefer_large_pages(memory, bytes_);
  data_ = static_cast<std::byte*>(memory);
}

AnonymousMemory::~AnonymousMemory() { ::munmap(data_, bytes_); }

void prefer_large_pages(void* memory, std::size_t bytes) noexcept {
  constexpr std::size_t kLarge = 2 << 20;
  constexpr std::uintptr_t kPage = 4096;
  // a wish: a system without large pages refuses it
  if (bytes >= kLarge && reinterpret_cast<std::uintptr_t>(memory) % kPage == 0) (void)::madvise(memory, bytes, MADV_HUGEPAGE);
}

}  // namespace preamble
