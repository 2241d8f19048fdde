#include "engine/core/file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view action) {
  const int reason = errno;
  raise<FileError>("{}: {}: {}", path.string(), action, std::strerror(reason));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

void write_all(int fd, const std::filesystem::path& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path, "cannot write");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) fail(path, "cannot open");
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) fail(path, "cannot stat");
  require<FileError>(S_ISREG(info.st_mode), "{}: not a regular file", path.string());
  auto file = std::shared_ptr<MappedFile>(new MappedFile());
  file->path_ = path;
  file->size_ = static_cast<std::size_t>(info.st_size);
  if (file->size_ != 0) {
    void* memory = ::mmap(nullptr, file->size_, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) fail(path, "cannot map");
    file->data_ = static_cast<const std::byte*>(memory);
  }
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text(const std::filesystem::path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) fail(path, "cannot open");
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot read");
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

void write_atomically(const std::filesystem::path& path, const std::function<void(const Sink&)>& write) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::string name = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
  Descriptor fd(::mkstemp(name.data()));
  if (fd.get() < 0) fail(path, "cannot create a temporary file beside it");
  try {
    write([&](std::span<const std::byte> bytes) { write_all(fd.get(), path, bytes); });
    // mkstemp makes files private; give the usual mode under the umask
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd.get(), 0666 & ~mask) != 0) fail(path, "cannot set the mode");
    if (::fsync(fd.get()) != 0) fail(path, "cannot flush");
    if (::close(fd.release()) != 0) fail(path, "cannot close");
    if (::rename(name.c_str(), path.c_str()) != 0) fail(path, "cannot rename the temporary file to it");
  } catch (...) {
    ::unlink(name.c_str());
    throw;
  }
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

void write_atomically(const std::filesystem::path& path, std::string_view text) {
  write_atomically(path, [&](const Sink& sink) { sink(std::as_bytes(std::span(text.data(), text.size()))); });
}

}  // namespace preamble
