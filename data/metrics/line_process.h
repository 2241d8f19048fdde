// A child process that answers lines with lines.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace preamble::metrics {

/// Runs a program and talks to it by lines on its standard input and output. Its standard error is kept for messages. The
/// program is ended with the object. Every failure throws UnsupportedError with the program's name and what it last said.
class LineProcess {
 public:
  /// `command[0]` is looked up in PATH.
  explicit LineProcess(std::vector<std::string> command);
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;
  ~LineProcess();

  /// Sends one line; `line` has no newline.
  void write_line(std::string_view line);
  /// The next line of its output, without the newline; waits for it at most `timeout_ms`.
  [[nodiscard]] std::string read_line(int timeout_ms);

 private:
  void start();
  void stop() noexcept;
  [[noreturn]] void fail(std::string_view what) const;

  std::vector<std::string> command_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::FILE* errors_ = nullptr;
  std::string buffer_;
};

}  // namespace preamble::metrics
