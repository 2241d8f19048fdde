#include "engine/core/anonymous_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "engine/core/error.h"

namespace preamble {

AnonymousMemory::AnonymousMemory(std::string_view what, std::int64_t bytes)
    : bytes_(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1))) {
  void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require<Error>(memory != MAP_FAILED, "{}: the system refused {} bytes: {}", what, bytes_, std::strerror(errno));
  ::madvise(memory, bytes_, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(memory);
}

AnonymousMemory::~AnonymousMemory() { ::munmap(data_, bytes_); }

}  // namespace preamble
