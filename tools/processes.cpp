#include "tools/processes.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/distributed/launch.h"
#include "engine/distributed/watchdog.h"
#include "tools/program.h"

namespace preamble {
namespace {

/// Standard output and error of a rank that shows nothing; its last message goes to the standard error that it had before.
class SilencedOutput {
 public:
  SilencedOutput() : errors_(::dup(STDERR_FILENO)) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
    Watchdog::set_output(errors_);
  }
  SilencedOutput(const SilencedOutput&) = delete;
  SilencedOutput& operator=(const SilencedOutput&) = delete;
  ~SilencedOutput() {
    Watchdog::set_output(STDERR_FILENO);
    if (errors_ < 0) return;
    ::dup2(errors_, STDERR_FILENO);
    ::close(errors_);
  }

  void say(std::string_view text) const {
    while (!text.empty()) {
      const auto written = ::write(errors_, text.data(), text.size());
      if (written <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  int errors_;
};

/// The value of --collective-timeout, which joining the others must know before anything is parsed. What is no number is left to the parser.
std::chrono::milliseconds patience_of(int argc, const char* const* argv) {
  constexpr std::string_view kOption = "--collective-timeout";
  double seconds = 600;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const char* value = nullptr;
    if (word == kOption && i + 1 < argc) value = argv[i + 1];
    if (word.starts_with(kOption) && word.substr(kOption.size()).starts_with('=')) value = argv[i] + kOption.size() + 1;
    if (value == nullptr) continue;
    char* end = nullptr;
    const double given = std::strtod(value, &end);
    if (end != value && given >= 0.1 && given <= 1e6) seconds = given;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

}  // namespace

int run_process(int argc, const char* const* argv) {
  if (!launched()) return run_program(argc, argv, std::cout, std::cerr);
  std::unique_ptr<LaunchedProcesses> processes;
  try {
    processes = join_launched(patience_of(argc, argv));
  } catch (const Error& error) {
    // the launcher alone can end the others, and takes its time
    std::this_thread::sleep_for(4 * turn_of(launched_rank()));
    std::cerr << fmt::format("preamble: {}\n", error.what());
    return 1;
  }
  set_world(*processes);
  const int rank = processes->rank();
  std::unique_ptr<SilencedOutput> silenced;
  if (rank > 0) silenced = std::make_unique<SilencedOutput>();
  std::ostringstream errors;
  const int status = run_program(argc, argv, std::cout, errors);
  std::cout.flush();
  std::fflush(nullptr);
  if (status == 0 || processes->size() == 1) {
    std::cerr << errors.str();
    return status;
  }
  std::this_thread::sleep_for(turn_of(rank));
  const std::string text = fmt::format("rank {} of {}: {}", rank, processes->size(), errors.str());
  if (silenced) {
    silenced->say(text);
  } else {
    std::cerr << text << std::flush;
  }
  processes->abort(status);
  return status;
}

}  // namespace preamble
