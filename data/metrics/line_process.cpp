#include "data/metrics/line_process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/core/error.h"

extern char** environ;

namespace preamble::metrics {
namespace {

/// The last part of a temporary file, as one line.
std::string tail(std::FILE* file) {
  std::array<char, 300> text{};
  const int fd = ::fileno(file);
  const off_t size = ::lseek(fd, 0, SEEK_END);
  const off_t from = size > static_cast<off_t>(text.size()) ? size - static_cast<off_t>(text.size()) : 0;
  const ssize_t got = ::pread(fd, text.data(), text.size(), from);
  std::string line(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  while (line.ends_with('\n')) line.pop_back();
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return line;
}

}  // namespace

LineProcess::LineProcess(std::vector<std::string> command) : command_(std::move(command)) {
  try {
    start();
  } catch (...) {
    stop();
    throw;
  }
}

LineProcess::~LineProcess() { stop(); }

void LineProcess::start() {
  errors_ = std::tmpfile();
  if (errors_ == nullptr) fail(std::strerror(errno));
  // a socket pair rather than pipes: writing to a program that has ended then is an error and no signal
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail(std::strerror(errno));
  socket_ = ends[0];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(errors_), STDERR_FILENO);
  std::vector<char*> arguments;
  for (std::string& argument : command_) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const int error = ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    pid_ = -1;
    fail(fmt::format("cannot be started: {}", std::strerror(error)));
  }
}

void LineProcess::stop() noexcept {
  if (socket_ >= 0) ::close(socket_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  if (errors_ != nullptr) std::fclose(errors_);
  socket_ = -1;
  pid_ = -1;
  errors_ = nullptr;
}

void LineProcess::fail(std::string_view what) const {
  const std::string said = errors_ == nullptr ? std::string() : tail(errors_);
  raise<UnsupportedError>("{}: {}{}{}", command_.front(), what, said.empty() ? "" : "; it said: ", said);
}

void LineProcess::write_line(std::string_view line) {
  const std::string message = std::string(line) + '\n';
  for (std::string_view rest = message; !rest.empty();) {
    const ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fail("ended before it had read its input");
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string LineProcess::read_line(int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{socket_, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) fail(fmt::format("no answer within {} ms", timeout_ms));
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(socket_, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("ended without an answer");
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace preamble::metrics
