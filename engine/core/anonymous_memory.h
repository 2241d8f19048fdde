// A block of zeroed memory straight from the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace preamble {

/// Pages cost nothing until they are touched, and all go back at once.
class AnonymousMemory {
 public:
  /// At least one byte. Throws Error in the name of `what` if the system refuses.
  AnonymousMemory(std::string_view what, std::int64_t bytes);
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  ~AnonymousMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Asks the system for large pages behind memory that is written whole soon and read often: a processor finds few of them faster than many
/// small ones. Does nothing for memory that is small or does not begin a page.
void prefer_large_pages(void* memory, std::size_t bytes) noexcept;

}  // namespace preamble
