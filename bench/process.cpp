#include "bench/process.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "engine/core/error.h"

namespace preamble::bench {
namespace {

constexpr const char* kSelf = "/proc/self/exe";

std::vector<char*> pointers(std::vector<std::string>& arguments) {
  std::vector<char*> result;
  for (auto& argument : arguments) result.push_back(argument.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> with_name(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {kSelf};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace

ProcessMemory process_memory() {
  ProcessMemory memory;
  std::ifstream status("/proc/self/status");
  std::string key;
  while (status >> key) {
    std::int64_t kib = 0;
    if (key == "VmRSS:" && status >> kib) memory.resident = kib * 1024;
    if (key == "VmHWM:" && status >> kib) memory.peak = kib * 1024;
    status.ignore(4096, '\n');
  }
  require<Error>(memory.resident > 0 && memory.peak > 0, "/proc/self/status: VmRSS or VmHWM is missing");
  return memory;
}

ChildResult run_self(const std::vector<std::string>& arguments) {
  auto all = with_name(arguments);
  const auto argv = pointers(all);
  std::array<int, 2> ends{};
  require<Error>(::pipe(ends.data()) == 0, "pipe: {}", std::strerror(errno));
  const pid_t child = ::fork();
  require<Error>(child >= 0, "fork: {}", std::strerror(errno));
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execv(kSelf, argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  ChildResult result;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t count = ::read(ends[0], block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    result.output.append(block.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void restart_self(const std::vector<std::string>& arguments) {
  auto all = with_name(arguments);
  ::execv(kSelf, pointers(all).data());
  raise<Error>("{}: {}", kSelf, std::strerror(errno));
}

}  // namespace preamble::bench
