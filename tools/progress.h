// The line that long work shows, and its log for machines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

/// Resident memory of this process now, and its peak, in bytes.
[[nodiscard]] std::int64_t resident_bytes();
[[nodiscard]] std::int64_t peak_resident_bytes();

/// `1h02m`, `3m20s`, `12s`
[[nodiscard]] std::string duration(double seconds);
/// `1.2 GiB`
[[nodiscard]] std::string human_bytes(std::int64_t bytes);

/// A line on standard error that is overwritten where that is a terminal, and printed now and then where it is not.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();

  /// `important`: always shown, and kept.
  void show(const std::string& text, bool important = false);

 private:
  bool terminal_;
  bool open_ = false;
  double last_ = -1e9;
};

/// A JSONL log; `-` is standard output. Each line is flushed as it is written. Throws FileError.
class JsonLog {
 public:
  explicit JsonLog(const std::optional<std::filesystem::path>& path, bool append = false);
  void write(const nlohmann::ordered_json& line);
  [[nodiscard]] explicit operator bool() const noexcept { return on_; }

 private:
  bool on_ = false;
  bool stdout_ = false;
  std::string name_;
  std::ofstream file_;
};

}  // namespace preamble
