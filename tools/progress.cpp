#include "tools/progress.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  }
  return 0;
}

}  // namespace

std::int64_t resident_bytes() { return status_bytes("VmRSS:"); }
std::int64_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

std::string human_bytes(std::int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (b >= 0x1p30) return fmt::format("{:.2f} GiB", b / 0x1p30);
  return b >= 0x1p20 ? fmt::format("{:.1f} MiB", b / 0x1p20) : fmt::format("{:.1f} KiB", b / 0x1p10);
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (open_) fmt::print(stderr, "\n");
}

void ProgressLine::show(const std::string& text, bool important) {
  const double interval = terminal_ ? 0.1 : 10;
  if (!important && now() - last_ < interval) return;
  last_ = now();
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}{}", text, important ? "\n" : "");
    open_ = !important;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
}

JsonLog::JsonLog(const std::optional<std::filesystem::path>& path, bool append) {
  if (!path) return;
  on_ = true;
  name_ = path->string();
  stdout_ = name_ == "-";
  if (stdout_) return;
  file_.open(*path, append ? std::ios::app : std::ios::trunc);
  require<FileError>(file_.good(), "{}: cannot open for writing", name_);
}

void JsonLog::write(const nlohmann::ordered_json& line) {
  if (!on_) return;
  std::ostream& out = stdout_ ? std::cout : file_;
  out << line.dump() << '\n' << std::flush;
  require<FileError>(out.good(), "{}: cannot write", name_);
}

}  // namespace preamble
