#include "tools/self_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/distributed/launch.h"

extern "C" char** environ;  // NOLINT(readability-redundant-declaration): POSIX wants it declared

namespace preamble {
namespace {

/// Both ends of a pipe; closed with the object.
class Pipe {
 public:
  Pipe() { require<Error>(::pipe2(ends_.data(), O_CLOEXEC) == 0, "pipe: {}", std::strerror(errno)); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }

  [[nodiscard]] int reading() const noexcept { return ends_[0]; }
  [[nodiscard]] int writing() const noexcept { return ends_[1]; }
  void close_writing() {
    ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// A file that is closed with the object; negative: none.
class Descriptor {
 public:
  explicit Descriptor(int file) noexcept : file_(file) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  [[nodiscard]] int get() const noexcept { return file_; }

 private:
  int file_;
};

/// Status of a process that is not the program yet.
constexpr int kCannotStart = 127;

std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = ::read(file, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    require<Error>(got >= 0, "read: {}", std::strerror(errno));
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

/// What a failing process says in the end.
std::string last_lines(std::string text) {
  constexpr std::size_t kMost = 2000;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t error = text.rfind("preamble: ");
  if (error != std::string::npos) text.erase(0, error);
  return text.size() > kMost ? text.substr(text.size() - kMost) : text;
}

}  // namespace

std::string run_self(const std::vector<std::string>& arguments, ErrorOutput errors) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string call = fmt::format("preamble {}", fmt::join(arguments, " "));
  std::vector<std::string> words = {"preamble"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_of_launcher(*variable)) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  Pipe pipe;
  const Descriptor kept(errors == ErrorOutput::kept ? ::memfd_create("errors", MFD_CLOEXEC) : -1);
  require<Error>(errors == ErrorOutput::ours || kept.get() >= 0, "memfd_create: {}", std::strerror(errno));
  const pid_t parent = ::getpid();
  // a fork would run handlers of MPI's library, which refuses it on some networks
  const pid_t pid = ::vfork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // the parent may have ended before that
    if (::getppid() != parent) ::_exit(kCannotStart);
    ::dup2(pipe.writing(), STDOUT_FILENO);
    if (kept.get() >= 0) ::dup2(kept.get(), STDERR_FILENO);
    ::execve(program.c_str(), argv.data(), environment.data());
    ::_exit(kCannotStart);
  }
  require<Error>(pid > 0, "{}: cannot be started: {}", call, std::strerror(errno));
  pipe.close_writing();
  std::string output = read_all(pipe.reading());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  std::string said;
  if (kept.get() >= 0 && ::lseek(kept.get(), 0, SEEK_SET) == 0) said = last_lines(read_all(kept.get()));
  raise<Error>("{}: it ended with {} {}; wanted status 0{}", call, WIFEXITED(status) ? "status" : "signal",
               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), said.empty() ? "" : "; it said: " + said);
}

}  // namespace preamble
